"""Who asks the server in an extension's tests, through the same gate as everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient
from starlette.types import Scope

from webui.api.build import build_api
from webui.core.job import PersonId
from webui.core.person import LOCAL_OWNER, Caller, Role, Via
from webui.gate.doorkeeper import Doorkeeper
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.studio import Studio
from webui.ui.build import mount_page

GUEST = Caller(id=PersonId("guest"), name="Guest", role=Role.ARTIST, via=Via.SESSION)


@dataclass(frozen=True)
class _Knows(Doorkeeper):
    """A doorkeeper that takes everybody for the same person; also its own answer."""

    caller: Caller

    def recognise(self, scope: Scope) -> Awaitable[Caller]:
        return self

    def __await__(self) -> Generator[None, None, Caller]:
        yield from ()
        return self.caller


def client_of(studio: Studio, *, is_owner: bool) -> Any:
    """A client as Starlette's tests have it: `client.get("/ext/...")`."""
    app = mount_page(build_api(studio, None), studio)
    knows = _Knows(LOCAL_OWNER if is_owner else GUEST)
    gate = protect(app, Surroundings(doorkeeper=knows), additions=app.state.page.additions)
    address = ("127.0.0.1", 50_000)
    return TestClient(gate, base_url="http://localhost:7860", client=address)
