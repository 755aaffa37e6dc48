"""What a route asks of whoever calls it, declared at the route.

The gate enforces the rules and the audit refuses to start without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from webui.core.person import Role

MIB: Final = 1 << 20
JSON_BODY_BYTES: Final = MIB
UPLOAD_BYTES: Final = 64 * MIB
"""One picture, with room for the largest PNG of 2048 x 2048 in 16 bits."""

RULE_ATTRIBUTE: Final = "__gate_rule__"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Access(StrEnum):
    """Who may use a route. On a server that only this machine reaches, everyone is its owner."""

    OPEN = "open"
    """Anyone whose request passes the gate, signed in or not."""
    PERSON = "person"
    """Anyone who is signed in."""
    ARTIST = "artist"
    """Whoever may make pictures."""
    OWNER = "owner"
    """Whoever runs this server."""
    CLOSED = "closed"
    """Nobody: the gate answers as if it did not exist."""

    @property
    def role(self) -> Role:
        """The least role that may use such a route; of those that ask for somebody."""
        return _ROLES[self]


_ROLES: Final[Mapping[Access, Role]] = MappingProxyType(
    {Access.PERSON: Role.VIEWER, Access.ARTIST: Role.ARTIST, Access.OWNER: Role.OWNER}
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """All that the gate needs to know of a route."""

    access: Access
    max_body_bytes: int = JSON_BODY_BYTES
    is_stream: bool = False
    """Its answer stays open; counts against the number of streams that one client may hold."""
    is_page: bool = False
    """People open it from a link on another site, and may: it changes nothing. Who is not signed
    in is sent to where they can."""
    knows_caller: bool = False
    """An open route that is told who asks, if somebody is signed in: see `the_caller`."""
    tries_password: bool = False
    """An open route that takes passwords. Who may try none is turned away before it is asked."""
    serves_uploads: bool = False
    """It answers with files that came from outside: only pictures are shown, the rest saved."""
    may_be_framed: bool = False
    """The page may show its answer in a frame; no other site may."""


def needs(access: Access, **more: Any) -> Callable[[Endpoint], Endpoint]:
    """Declares the rule of a route: put it between the router's decorator and the function.

    `more` are the other fields of Rule.
    """
    rule = Rule(access=access, **more)

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, RULE_ATTRIBUTE, rule)
        return endpoint

    return declare


def declared_rule(endpoint: object) -> Rule | None:
    """The rule that `needs` gave to an endpoint, or None."""
    rule = getattr(endpoint, RULE_ATTRIBUTE, None)
    return rule if isinstance(rule, Rule) else None
