"""People for tests of the gate: whoever a request says it is from."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import Scope

from webui.core.job import PersonId
from webui.core.person import Caller, Role, Via
from webui.gate.doorkeeper import Doorkeeper
from webui.gate.refusal import Refusal

LOCKED_OUT = Refusal(
    status=HTTPStatus.TOO_MANY_REQUESTS,
    message="Too many tries.",
    headers=((b"retry-after", b"7"),),
)


class NamedDoorkeeper(Doorkeeper):
    """Believes the header “X-Person: role name”, and a cookie “person=role name”."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    async def recognise(self, scope: Scope) -> Caller | Refusal | None:
        """Who the request says it is from."""
        said = {key: value.decode() for key, value in scope["headers"]}
        words = said.get(b"x-person") or said.get(b"cookie", "").removeprefix("person=")
        role, _, name = words.partition(" ")
        if role == "locked":
            return LOCKED_OUT
        if not role or name in self.revoked:
            return None
        return Caller(
            id=PersonId(name), name=name, role=Role(role), via=Via.SESSION, credential=name
        )


def as_person(role: str, name: str = "Ada") -> tuple[str, str]:
    """The header of a request from somebody."""
    return ("X-Person", f"{role} {name}")
