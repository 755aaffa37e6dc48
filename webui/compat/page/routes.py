"""Addresses beside the page: those that old scripts add, and ours that they expect."""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from webui.compat.page.files import PREFIX, allowed_file, find_asset, scripts_of
from webui.compat.page.head import ASSETS
from webui.compat.page.old import extension_of, module, side
from webui.core.person import CALLER, LOCAL_OWNER, Caller, Role
from webui.gate.access import Access, needs

if TYPE_CHECKING:
    from webui.compat.page.host import Host

log = logging.getLogger(__name__)

OWN_FOLDERS: Final = ("tmp", "localizations")
"""In the folder that stands for A1111's own."""
PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp")
"""What is served of the outputs."""
_ACCESS: Final[Mapping[Role, Access]] = MappingProxyType(
    {
        Role.VIEWER: Access.PERSON,
        Role.ARTIST: Access.ARTIST,
        Role.OWNER: Access.OWNER,
    }
)


class OldApp(FastAPI):
    """What on_app_started is given in place of the server's application: routes are collected,
    and what would reach around the gate is refused."""

    def __init__(self, extension: str) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None)
        self.extension: Final = extension
        self.refused: Final[list[str]] = []

    def add_middleware(self, middleware_class: Any, *args: Any, **kwargs: Any) -> None:
        """Refused: it would stand before requests of everybody else."""
        self._refuse(f"the middleware {getattr(middleware_class, '__name__', middleware_class)}")

    def middleware(self, middleware_type: str) -> Callable[[Any], Any]:
        """Refused likewise."""
        self._refuse(f"a middleware for {middleware_type}")
        return lambda function: function

    def _refuse(self, what: str) -> None:
        log.warning("“%s” adds %s, which is not allowed. Use routes.", self.extension, what)
        self.refused.append(what)


def attach(host: Host, app: FastAPI, blocks: Any) -> None:
    """Put all of them into an application, each with its role."""
    _add_own(host, app)
    guarded = module("gesso_calls").guarded
    for each in module("script_callbacks").ordered_callbacks("app_started"):
        extension = extension_of(each)
        old = OldApp(extension)
        guarded(
            extension,
            "on_app_started",
            each.script,
            lambda each=each, old=old: each.callback(blocks, old),
        )
        for route in old.router.routes:
            _give_role(route, host.store.role(extension))
            app.router.routes.append(route)


def _give_role(route: Any, role: Role) -> None:
    """Name the role at a route, where the gate looks for it."""

    @needs(_ACCESS[role], may_be_framed=True)
    def decided() -> None:
        """Stands for the route's own function, which may be shared or take no attributes."""

    if hasattr(route, "endpoint"):
        route.endpoint = decided


def _add_own(host: Host, app: FastAPI) -> None:
    app.add_api_route(f"{PREFIX}/page.json", _page(host))
    app.add_api_route(f"{PREFIX}/assets/{{extension}}/{{name}}", _asset)
    app.add_api_route(f"{PREFIX}/{{name}}", _own_asset)
    for path in ("/file={asked:path}", "/file/{asked:path}"):
        app.router.routes.append(Route(path, _file(host), methods=["GET", "HEAD"]))
    app.add_api_route("/internal/sysinfo", _sysinfo)


def _page(host: Host) -> Callable[[Request], Any]:
    @needs(Access.PERSON)
    def page(request: Request) -> JSONResponse:
        caller: Caller | None = request.scope.get(CALLER, LOCAL_OWNER)
        role = caller.role if caller else Role.VIEWER
        folders = side().folders
        return JSONResponse(
            {
                "opts": host.options.told(role),
                "scripts": [asset.address for asset in scripts_of(folders)],
                "role": role.value,
            }
        )

    return page


@needs(Access.PERSON)
def _asset(extension: str, name: str) -> Response:
    path = find_asset(side().folders, extension, name)
    if path is None:
        raise HTTPException(404)
    return _served(path)


@needs(Access.PERSON)
def _own_asset(name: str) -> Response:
    path = next((path for path in ASSETS.iterdir() if path.name == name), None)
    if path is None:
        raise HTTPException(404)
    return _served(path)


def _file(host: Host) -> Callable[[Request], Response]:
    @needs(Access.ARTIST, may_be_framed=True)
    def file(request: Request) -> Response:
        caller: Caller | None = request.scope.get(CALLER, LOCAL_OWNER)
        base = Path(module("paths").script_path)
        asked = str(request.path_params["asked"])
        own = [*side().folders.values(), *(base / name for name in OWN_FOLDERS)]
        # A1111 runs in its own folder, so scripts ask by paths from there or from where we run.
        path = allowed_file(asked, base, own) or allowed_file(asked, Path.cwd(), own)
        if path is None and caller is not None and caller.role.covers(Role.OWNER):
            path = allowed_file(asked, base, [host.studio.settings.current.outputs])
            path = path if path is not None and path.suffix.lower() in PICTURES else None
        if path is None:
            return JSONResponse({"error": {"message": "There is no such file."}}, 404)
        return _served(path)

    return file


def _served(path: Path) -> Response:
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in (".js", ".mjs"):
        media_type = "text/javascript"
    return FileResponse(path, media_type=media_type, headers={"cache-control": "no-cache"})


@needs(Access.OWNER)
def _sysinfo() -> dict[str, Any]:
    return {"Version": module("ui").versions_html(), "Extensions": sorted(side().folders)}
