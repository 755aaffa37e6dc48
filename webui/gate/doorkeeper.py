"""Who is at the gate: how a request is told from whom it comes. Accounts are elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Protocol

from starlette.types import Scope

from webui.core.person import LOCAL_OWNER, Caller
from webui.gate.refusal import Refusal


class Doorkeeper(Protocol):
    """Recognises callers by what their requests carry. Asked on the event loop: it must not block
    there (passwords are hashed in a thread). A base class: those that take no passwords have
    nothing to add but `recognise`."""

    def recognise(self, scope: Scope) -> Awaitable[Caller | Refusal | None]:
        """Who asks; None when the request shows no credential or one that is no longer good; a
        Refusal when it must not even be tried, for example after too many wrong passwords."""
        ...

    def turn_away(self, scope: Scope) -> Awaitable[Refusal] | None:
        """Why no password may be tried from where this request comes, whoever's it is, which may
        come late; None if one may."""
        return None

    def close(self) -> None:
        """Let nobody wait any longer for an answer: the server ends."""
        return


class OpenHouse(Doorkeeper):
    """The doorkeeper of a server that only this machine reaches: everyone is its owner."""

    def recognise(self, scope: Scope) -> Awaitable[Caller]:
        """Always the local person."""
        return _TheOwner()


class _TheOwner:
    """An answer that need not be waited for."""

    def __await__(self) -> Generator[None, None, Caller]:
        yield from ()
        return LOCAL_OWNER
