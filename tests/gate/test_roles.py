"""Every route of the whole application with every role: what gets past the gate, and what not.

Behind the gate stands an application that says yes to everything, so nothing is changed or
stopped; the table of routes is the real one.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from starlette.types import Receive, Scope, Send

from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.whole import House, ask
from webui.core.person import CALLER
from webui.gate.access import Access
from webui.gate.audit import WEBSOCKET, Decision, Table, audit
from webui.gate.gate import Gate, Surroundings
from webui.gate.gradio_rules import GRADIO_RULES

PEOPLE = ("", "viewer", "artist", "owner")
MAY: dict[Access, Sequence[str]] = {
    Access.OPEN: PEOPLE,
    Access.PERSON: ("viewer", "artist", "owner"),
    Access.ARTIST: ("artist", "owner"),
    Access.OWNER: ("owner",),
    Access.CLOSED: (),
}
YES = b"past the gate"
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", WEBSOCKET)


@pytest.fixture(scope="module")
def decisions(house: House) -> tuple[Decision, ...]:
    """The decision on every route."""
    return audit(house.app, GRADIO_RULES)


@pytest.fixture(scope="module")
def gate(decisions: tuple[Decision, ...]) -> Gate:
    """The real table before an application that says yes."""
    return Gate(yes, Table(decisions), Surroundings(doorkeeper=NamedDoorkeeper()))


async def yes(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with whoever the gate says is asking."""
    caller = scope[CALLER]
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "body": YES})
        return
    name = caller.role.value.encode() if caller else b"nobody"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": YES + b" " + name})


def address(decision: Decision) -> bytes:
    """An address that the route takes."""
    return re.sub(r"\{[^}]*\}", "x", decision.path).encode()


def routes(decisions: Sequence[Decision]) -> Iterator[tuple[str, Decision]]:
    """Each route with each of its methods."""
    for decision in decisions:
        for method in sorted(decision.methods):
            yield method, decision


def test_the_whole_application_is_in_the_list(decisions: tuple[Decision, ...]) -> None:
    kinds = Counter(decision.rule.access for decision in decisions)
    assert len(decisions) >= 150
    assert all(kinds[access] for access in Access)


def test_each_role_gets_what_it_may_and_nothing_else(
    gate: Gate, decisions: tuple[Decision, ...]
) -> None:
    async def wrong() -> list[str]:
        found = []
        for method, decision in routes(decisions):
            for role in PEOPLE:
                headers = [as_person(role)] if role else []
                said = await ask(gate, method, address(decision), headers)
                is_in = said.status in (101, 200) and (YES in said.body or method == "HEAD")
                if is_in is not (role in MAY[decision.rule.access]):
                    found.append(f"{role or 'nobody'}: {method} {decision.path} {said.status}")
        return found

    assert asyncio.run(wrong()) == []


def test_nobody_is_told_what_an_address_would_hold(
    gate: Gate, decisions: tuple[Decision, ...]
) -> None:
    """Who is not signed in learns of every route the same: that they have to sign in."""

    async def statuses() -> set[int]:
        return {
            (await ask(gate, method, address(decision))).status
            for method, decision in routes(decisions)
            if decision.rule.access not in (Access.OPEN, Access.CLOSED)
        }

    assert asyncio.run(statuses()) == {303, 401}


def test_no_other_method_reaches_a_route(gate: Gate, decisions: tuple[Decision, ...]) -> None:
    """A route takes the methods that it was listed with, and its neighbours theirs."""
    taken = {
        (method, re.sub(r"\{[^}]*\}", "x", d.path))
        for method, d in routes(decisions)
        if d.rule.access is not Access.CLOSED
    }
    patterned = [d for d in decisions if "{" in d.path]

    async def wrong() -> list[str]:
        found = []
        for path in {re.sub(r"\{[^}]*\}", "x", decision.path) for decision in decisions}:
            for method in EVERY_METHOD:
                said = await ask(gate, method, path.encode(), [as_person("owner")])
                if YES in said.body and (method, path) not in taken and not caught(method, path):
                    found.append(f"{method} {path}")
        return found

    def caught(method: str, path: str) -> bool:
        """Whether a route with a parameter takes it: /pictures/{id} takes /pictures/search."""
        table = Table([d for d in patterned if d.rule.access is not Access.CLOSED])
        return table.find(method, path) is not None

    assert asyncio.run(wrong()) == []


def test_what_changes_something_is_not_a_viewers(decisions: tuple[Decision, ...]) -> None:
    """But for what is a viewer's own: their session, keys, and looking at things."""
    writes = {"POST", "PUT", "PATCH", "DELETE"}
    found = {
        f"{method} {decision.path}"
        for method, decision in routes(decisions)
        if method in writes and decision.rule.access in (Access.PERSON, Access.OPEN)
    }
    own = {route.removesuffix("/") for route in found if "gradio_api" not in route}
    assert own == VIEWERS_OWN


VIEWERS_OWN = {
    "POST /api/v1/session",
    "DELETE /api/v1/session",
    "POST /api/v1/session/password",
    "DELETE /api/v1/sessions",
    "DELETE /api/v1/sessions/{id}",
    "POST /api/v1/keys",
    "DELETE /api/v1/keys/{id}",
    "POST /api/v1/join/{token}",
    "POST /api/v1/first-run",
    # These look something up in what is sent to them.
    "POST /api/v1/prompt",
    "POST /api/v1/read-picture",
    "POST /api/v1/read-text",
    "POST /sdapi/v1/png-info",
    "POST /sdapi/v1/interrogate",
    "POST /internal/progress",
    # Its tools ask for a role each.
    "POST /mcp",
}
"""What a viewer, or nobody yet, may ask for with other methods than GET. The page's events, too:
those ask for a role each (tests/gate/test_handlers.py)."""
