"""People at the gate, without accounts: each request says in a header who sends it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Scope

from tests.gate.site import Answer, Site
from webui.core.job import LOCAL, PersonId
from webui.core.person import Caller, Role, Via
from webui.gate.audit import Table, audit
from webui.gate.doorkeeper import Doorkeeper
from webui.gate.gate import Gate, Surroundings

HEADER = "X-Test-Person"
OWNER = "local"


class TakesTheirWord(Doorkeeper):
    """A doorkeeper that believes the header. "ann" is an artist, "vic" a viewer, "local" the
    owner; without the header nobody is signed in."""

    async def recognise(self, scope: Scope) -> Caller | None:
        said = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode()
        if not said:
            return None
        role = {OWNER: Role.OWNER, "vic": Role.VIEWER}.get(said, Role.ARTIST)
        return Caller(id=PersonId(said), name=said.title(), role=role, via=Via.SESSION)


def gate_of_people(app: ASGIApp) -> Gate:
    """A gate before an application without a page, where people are told apart."""
    return Gate(app, Table(audit(app, {})), Surroundings(doorkeeper=TakesTheirWord()))


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who uses the API of a running site."""

    site: Site
    name: str

    @property
    def id(self) -> PersonId:
        return LOCAL if self.name == OWNER else PersonId(self.name)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        headers = [("Content-Type", "application/json"), (HEADER, self.name)]
        return self.site.ask(method, path, headers, data)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def post(self, path: str, body: object = None, status: int = 202) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status == status, answer.body
        return json.loads(answer.body)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
