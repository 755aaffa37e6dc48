"""Installing extensions, updating them, going back. For owners at the studio's own machine, and
from others only if whoever started the server allowed it (`lan_installs`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, Final

from annotated_types import MaxLen
from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute

from webui.api.context import RawBody, the_studio
from webui.api.install_views import (
    InstalledView,
    RemovedView,
    SnapshotView,
    TaskView,
    installed_view,
    removed_view,
    snapshot_view,
    task_view,
)
from webui.api.known_fields import refuse_unknown_fields
from webui.api.routes.session import LOOPBACK_HOSTS
from webui.api.visitor import is_on_this_machine
from webui.core.errors import NotPermitted
from webui.gate.access import UPLOAD_BYTES, Access, needs
from webui.installs.index import Listed, search
from webui.installs.installs import Confirmed, Installs
from webui.installs.lockfile import Entry
from webui.installs.source import Asked
from webui.installs.task import Choices

MOST_LISTED: Final = 500
NOT_HERE: Final = (
    "Extensions are installed on the studio's own machine: open http://localhost with the studio's "
    "port there. Whoever starts the server may allow it from elsewhere (lan_installs)."
)


_BINARY: Final = MappingProxyType({"schema": {"type": "string", "format": "binary"}})
A_FILE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "requestBody": {
            "required": True,
            "content": {"application/zip": dict(_BINARY), "text/x-python": dict(_BINARY)},
        }
    }
)
"""What an upload is, for the description of the API."""


class HereOnly(APIRoute):
    """A route that looks at where a request comes from before anything of it is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with the look before it."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            check_place(request)
            return await handler(request)

        return handle


def check_place(request: Request) -> None:
    """Raises NotPermitted for a request from where extensions can't be installed."""
    # The name too: a proxy that is not known as one looks like this machine itself.
    is_here = is_on_this_machine(request) and request.url.hostname in LOOPBACK_HOSTS
    if not is_here and not the_studio(request).settings.current.lan_installs:
        raise NotPermitted(NOT_HERE)


ROUTER: Final = APIRouter(
    prefix="/api/v1/extensions/installs", tags=["extension installs"], route_class=HereOnly
)


@dataclass(frozen=True, kw_only=True)
class IndexView:
    """Extensions that are listed; `count` is how many were found in all."""

    count: int
    entries: Sequence[Listed]


@dataclass(frozen=True, kw_only=True)
class UpdateBody:
    """Another branch, tag or commit to go to; empty for the one that it follows."""

    ref: Annotated[str, MaxLen(200)] = ""


@dataclass(frozen=True, kw_only=True)
class SnapshotBody:
    """The name of a snapshot; empty takes the time."""

    name: Annotated[str, MaxLen(100)] = ""


def the_installs(request: Request) -> Installs:
    """What installs extensions."""
    return the_studio(request).installs


@ROUTER.get("")
@needs(Access.OWNER)
def list_installs(request: Request) -> list[TaskView]:
    """What is on its way, and what was lately; the oldest first."""
    return [task_view(task) for task in the_installs(request).tasks()]


@ROUTER.post("", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def begin_install(request: Request, asked: Asked, body: RawBody) -> TaskView:
    """Fetch an extension into quarantine, where nothing of it runs, and look through it."""
    installs = the_installs(request)
    refuse_unknown_fields(Asked, body)
    return task_view(installs.begin(asked))


@ROUTER.post("/upload", status_code=HTTPStatus.ACCEPTED, openapi_extra=dict(A_FILE))
@needs(Access.OWNER, max_body_bytes=UPLOAD_BYTES)
def upload_extension(
    request: Request, data: RawBody, name: Annotated[str, Query(max_length=300)]
) -> TaskView:
    """The same with a file that is sent: the body is the .zip or .py itself."""
    return task_view(the_installs(request).begin_upload(name, data))


@ROUTER.get("/installed")
@needs(Access.OWNER)
def list_installed(request: Request) -> list[InstalledView]:
    """The extensions that were installed here, each with the state before it."""
    installs = the_installs(request)
    return [_installed(installs, entry) for entry in installs.lock.now.entries]


@ROUTER.post("/installed/{id}/update", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def update_extension(request: Request, id: str, wish: UpdateBody, body: RawBody) -> TaskView:
    """Fetch the newest state of an extension into quarantine, to be looked at like a new one."""
    installs = the_installs(request)
    refuse_unknown_fields(UpdateBody, body)
    return task_view(installs.begin_update(id, wish.ref))


@ROUTER.post("/installed/{id}/rollback")
@needs(Access.OWNER)
def roll_back_extension(request: Request, id: str) -> InstalledView:
    """Bring the state before back, with the packages that it needs; again undoes it."""
    installs = the_installs(request)
    return _installed(installs, installs.rollback(id))


@ROUTER.delete("/installed/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def uninstall_extension(request: Request, id: str, with_data: bool = False) -> None:
    """Remove an extension. Its files stay in the trash for 30 days; its data stays, unless
    `with_data`."""
    the_installs(request).uninstall(id, with_data=with_data)


@ROUTER.post("/updates", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def check_updates(request: Request) -> TaskView:
    """Ask the sources of all extensions whether they have something newer. Nothing asks by
    itself."""
    return task_view(the_installs(request).check_updates())


@ROUTER.get("/trash")
@needs(Access.OWNER)
def list_removed(request: Request) -> list[RemovedView]:
    """Removed extensions, the newest first."""
    return [removed_view(removed) for removed in the_installs(request).trash.all()]


@ROUTER.post("/trash/{id}/restore")
@needs(Access.OWNER)
def bring_back_extension(request: Request, id: str) -> InstalledView:
    """Put a removed extension back, switched off."""
    installs = the_installs(request)
    return _installed(installs, installs.bring_back(id))


@ROUTER.delete("/trash/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def forget_removed(request: Request, id: str) -> None:
    """Delete a removed extension for good."""
    the_installs(request).forget_removed(id)


@ROUTER.get("/snapshots")
@needs(Access.OWNER)
def list_snapshots(request: Request) -> list[SnapshotView]:
    """Saved sets, the newest first."""
    return [snapshot_view(each) for each in the_installs(request).snapshots.all()]


@ROUTER.post("/snapshots", status_code=HTTPStatus.CREATED)
@needs(Access.OWNER)
def save_snapshot(request: Request, wish: SnapshotBody, body: RawBody) -> SnapshotView:
    """Save the whole set as it is: which extensions, at which state, which of them on."""
    installs = the_installs(request)
    refuse_unknown_fields(SnapshotBody, body)
    return snapshot_view(installs.save_snapshot(wish.name))


@ROUTER.post("/snapshots/{id}/restore", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def restore_snapshot(request: Request, id: str) -> TaskView:
    """Bring a saved set back. What is not in it goes to the trash; nothing comes in that was not
    agreed to before, to the byte."""
    return task_view(the_installs(request).restore(id))


@ROUTER.delete("/snapshots/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def remove_snapshot(request: Request, id: str) -> None:
    """Forget a saved set."""
    the_installs(request).snapshots.remove(id)


@ROUTER.get("/index")
@needs(Access.OWNER)
def search_index(
    request: Request,
    words: Annotated[str, Query(max_length=200)] = "",
    tag: Annotated[str, Query(max_length=50)] = "",
) -> IndexView:
    """Extensions that can be installed: what the program knows, and the list fetched last."""
    found = search(the_installs(request).indexes.now().entries, words, tag)
    return IndexView(count=len(found), entries=found[:MOST_LISTED])


@ROUTER.post("/index")
@needs(Access.OWNER)
def fetch_index(request: Request) -> IndexView:
    """Fetch the list of extensions for AUTOMATIC1111 anew, from the address in the settings."""
    entries = the_installs(request).indexes.fetch().entries
    return IndexView(count=len(entries), entries=entries[:MOST_LISTED])


@ROUTER.get("/{id}")
@needs(Access.OWNER)
def read_install(request: Request, id: str) -> TaskView:
    """One installation."""
    return task_view(the_installs(request).task(id))


@ROUTER.post("/{id}/examine", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def examine_install(request: Request, id: str, choices: Choices, body: RawBody) -> TaskView:
    """After its review: bring its packages together and let the doctor try it out. From here on
    its code may run, in a process of its own."""
    installs = the_installs(request)
    refuse_unknown_fields(Choices, body)
    return task_view(installs.examine(id, choices))


@ROUTER.post("/{id}/confirm", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def confirm_install(request: Request, id: str, yes: Confirmed, body: RawBody) -> TaskView:
    """The owner's yes: put it into its place and switch it on. `fingerprint` is the review's."""
    installs = the_installs(request)
    refuse_unknown_fields(Confirmed, body)
    return task_view(installs.confirm(id, yes))


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def cancel_install(request: Request, id: str) -> None:
    """Cancel an installation and remove what came of it, or forget one that is over."""
    the_installs(request).cancel(id)


def _installed(installs: Installs, entry: Entry) -> InstalledView:
    bad = [reason for id, reason in installs.known_bad() if id in ("", entry.id)]
    return installed_view(entry, bad, installs.sightings(entry.id))
