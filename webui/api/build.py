"""The API, put together: routes found by scanning, errors in one shape, the page's own files."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response

import webui.api.routes
from webui import __version__
from webui.api.caching import file_answer
from webui.api.description import describe
from webui.api.errors import add_error_handlers
from webui.api.openai.links import Links
from webui.api.recent import RecentEvents
from webui.api.sdapi.desk import Desk
from webui.core.registry import discover
from webui.gate.access import Access, needs
from webui.studio import Studio

ASSETS: Final = Path(__file__).resolve().parent.parent / "ui" / "assets"
"""The page's scripts and styles; they are served here, beside the API that they call."""


def build_api(studio: Studio, assets: Path | None) -> FastAPI:
    """The API over a studio, with one route for each file in `assets`.

    FastAPI's own pages about the API stay off: they load their scripts from other servers.
    """
    app = _DescribedAPI(
        title="Gesso", version=__version__, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.studio = studio
    app.state.links = Links()
    app.state.recent = RecentEvents(studio.bus, studio.jobs.boot)
    app.state.desk = Desk()
    add_error_handlers(app)
    for router in discover(webui.api.routes, "ROUTER"):
        if isinstance(router, APIRouter):
            app.include_router(router)
    if assets is not None:
        for file in sorted(file for file in assets.rglob("*") if file.is_file()):
            path = f"/assets/{file.relative_to(assets).as_posix()}"
            app.add_api_route(path, _asset(file), include_in_schema=False)
    return app


class _DescribedAPI(FastAPI):
    """FastAPI that describes also what the gate and the error handlers answer."""

    def openapi(self) -> dict[str, Any]:
        """The description of the API."""
        return describe(self)


def _asset(file: Path) -> Callable[[Request], Response]:
    """A route for one file: Gradio has its own files below the same address."""

    @needs(Access.OPEN)
    def read_asset(request: Request) -> Response:
        stat = file.stat()
        tag = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return file_answer(request, file, media_type, tag, is_final=False)

    return read_asset
