"""Who is connected, by address, and who has to go when there are too many.

The connection that has waited longest for its next request goes first; one that is in use is not
dropped for a new one. Used on the event loop only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol


class Guest(Protocol):
    """One connection."""

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        ...

    def drop(self) -> None:
        """End it now."""
        ...


@dataclass(frozen=True, kw_only=True)
class Room:
    """How many connections there is room for."""

    per_address: int = 1280
    """An office of fifty people may stand behind one address, with some browsers and programs
    each; a browser opens at most six connections, and a page's stream holds one of them."""
    total: int = 4096


class Crowd:
    """The connections of a server."""

    def __init__(self, room: Room, is_shared: Callable[[str], bool] = lambda _: False) -> None:
        """`is_shared` says of an address that it is a proxy's: all may come from there."""
        self._room: Final = room
        self._is_shared: Final = is_shared
        self._by_address: dict[str, dict[Guest, None]] = {}
        self._count = 0

    def enter(self, guest: Guest) -> None:
        """Take a connection in; another one, or this one, may have to go for it."""
        mine = self._by_address.setdefault(guest.address, {})
        self._count += guest not in mine
        mine[guest] = None
        if len(mine) > self._room.per_address and not self._is_shared(guest.address):
            self._make_room(mine, guest)
        elif self._count > self._room.total:
            self._make_room(max(self._by_address.values(), key=len), guest)

    def leave(self, guest: Guest) -> None:
        """A connection is gone. Nothing happens when it was not there."""
        mine = self._by_address.get(guest.address, {})
        if guest in mine:
            del mine[guest]
            self._count -= 1
        if not mine:
            self._by_address.pop(guest.address, None)

    def _make_room(self, among: dict[Guest, None], newest: Guest) -> None:
        # A dict keeps the order in which they came.
        leaves = next((guest for guest in among if guest.is_idle and guest is not newest), newest)
        self.leave(leaves)
        leaves.drop()
