"""Keeps a request's body within its limit, whatever the request says about itself."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from webui.core.person import CALLER, Caller
from webui.gate.access import MIB
from webui.gate.origin import Headers, values
from webui.gate.refusal import Refusal, send_refusal

MOST_ARRIVING: Final = 512 * MIB
"""More than a browser with six connections sends at a time."""
_TOO_MUCH: Final = Refusal(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    message=f"More than {MOST_ARRIVING // MIB} MB of yours are on their way here. Send this again "
    "when some of it has arrived.",
    headers=((b"retry-after", b"5"),),
)


def check_length(headers: Headers, limit: int) -> Refusal | None:
    """Why a body of the length that its header claims is not taken; None when it may come."""
    lengths = values(headers, b"content-length")
    return _too_large(limit) if any(int(n) > limit for n in lengths if n.isdigit()) else None


class Arrivals:
    """What of bodies has come for each person and is not whole yet: it waits in memory. Used on
    the event loop only."""

    def __init__(self, most_bytes: int = MOST_ARRIVING) -> None:
        """`most_bytes` are those of one person."""
        self._most: Final = most_bytes
        self._held: Final[Counter[str]] = Counter()

    def take(self, person: str, size: int) -> bool:
        """Count more bytes of a person's; whether that is within the limit."""
        self._held[person] += size
        return self._held[person] <= self._most

    def release(self, person: str, size: int) -> None:
        """A body is whole, or was given up."""
        self._held[person] -= size
        if not self._held[person]:
            del self._held[person]


class LimitedBody:
    """Passes a body on piece by piece and ends the request with 413 at the first byte too many.

    A chunked body has no length to check beforehand. At the limit the client gets its answer at
    once, and the application behind is told that the client has gone. So it goes with one that
    comes beside too much else of the same person.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, limit: int, arrivals: Arrivals
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._limit = limit
        self._arrivals = arrivals
        caller = scope.get(CALLER)
        self._person = caller.id if isinstance(caller, Caller) else ""
        self._received = self._held = 0
        self._is_answered = False
        self.was_refused = False

    async def receive(self) -> Message:
        """The `receive` of the application behind."""
        if self.was_refused:
            return {"type": "http.disconnect"}
        message = await self._receive()
        size = len(message.get("body", b""))
        self._received += size
        if self._received > self._limit:
            return await self._refuse(_too_large(self._limit))
        if not message.get("more_body", False):
            self.let_go()
            return message
        self._held += size
        is_room = self._arrivals.take(self._person, size)
        return message if is_room else await self._refuse(_TOO_MUCH)

    def let_go(self) -> None:
        """Nothing more is to come."""
        self._arrivals.release(self._person, self._held)
        self._held = 0

    async def _refuse(self, refusal: Refusal) -> Message:
        self.was_refused = True
        self.let_go()
        if not self._is_answered:
            await send_refusal(refusal, self._scope, self._send)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The `send` of the application behind; what it says after the refusal is dropped."""
        if not self.was_refused:
            self._is_answered = True
            await self._send(message)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        message=f"This is larger than {_size(limit)}, the most that is taken here. "
        "Send a smaller file.",
    )


def _size(limit: int) -> str:
    return f"{limit // MIB} MB" if limit >= MIB else f"{limit} bytes"
