"""Who asks the server in an extension's tests, through the same gate as everybody."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient
from starlette.types import Scope

from webui.api.build import build_api
from webui.core.job import PersonId
from webui.core.person import LOCAL_OWNER, Caller, Role, Via
from webui.gate.audit import Table, audit
from webui.gate.gate import Gate, Surroundings
from webui.studio import Studio

GUEST = Caller(id=PersonId("guest"), name="Guest", role=Role.ARTIST, via=Via.SESSION)


class _Knows:
    """A doorkeeper that takes everybody for the same person."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def recognise(self, scope: Scope) -> Caller | None:
        return self._caller


def client_of(studio: Studio, *, is_owner: bool) -> Any:
    """A client as Starlette's tests have it: `client.get("/ext/...")`."""
    app = build_api(studio, None)
    caller = LOCAL_OWNER if is_owner else GUEST
    gate = Gate(app, Table(audit(app, {})), Surroundings(doorkeeper=_Knows(caller)))
    return TestClient(gate, base_url="http://127.0.0.1:7860", client=("127.0.0.1", 50000))
