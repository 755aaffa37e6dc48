"""Passwords that came with a request and were looked at lately: a program that sends its password
each second must not cost a hash each second.

What is remembered is a digest under a key of this process, what it was compared with, and whether
it was right. It counts only as long as the person's password is that one still.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from webui.people.account import Person
from webui.people.faults import WrongPassword
from webui.people.names import fold
from webui.people.people import People

REMEMBERED_S: Final = 600.0
MOST_REMEMBERED: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class _Known:
    hash: str
    """What the password was compared with; "" for somebody unknown or without one."""
    is_right: bool
    until: float


class Remembered:
    """Checks names and passwords, each of them once in some minutes. On one event loop only."""

    def __init__(self, people: People, now: Callable[[], float] = time.monotonic) -> None:
        self._people: Final = people
        self._now: Final = now
        self._secret: Final = secrets.token_bytes(32)
        self._known: Final[OrderedDict[bytes, _Known]] = OrderedDict()
        self._asked: Final[dict[bytes, asyncio.Task[Person]]] = {}

    async def check(self, name: str, password: str, address: str) -> Person:
        """The person whose password this is. Raises WrongPassword, TooManyTries."""
        # First of all: who may not guess any more must not learn that a guess is remembered.
        self._people.limiter.check(address, fold(name))
        key = self._key(name, password)
        person = self._people.roster.find_live(name)
        known = self._known.get(key)
        if known is None or known.until <= self._now() or known.hash != _hash(person):
            return await self._look(key, name, password, address)
        if person is None or not known.is_right:
            raise WrongPassword
        return person

    async def _look(self, key: bytes, name: str, password: str, address: str) -> Person:
        """Look once for all requests that show the same at the same time: a page's dozen of
        pictures is one try."""
        key += address.encode()
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(self._look_now(key, name, password, address))
            self._asked[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def _look_now(self, key: bytes, name: str, password: str, address: str) -> Person:
        before = _hash(self._people.roster.find_live(name))
        try:
            person = await self._people.check(name, password, address)
        except WrongPassword:
            self._keep(key, before, is_right=False)
            raise
        self._keep(key, person.hash, is_right=True)
        return person

    def _forget(self, key: bytes, done: asyncio.Task[Person]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # taken, in case that nobody waits for it any more

    def _keep(self, key: bytes, hash: str, *, is_right: bool) -> None:
        until = self._now() + REMEMBERED_S
        self._known[key[: hashlib.sha256().digest_size]] = _Known(
            hash=hash, is_right=is_right, until=until
        )
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _key(self, name: str, password: str) -> bytes:
        shown = f"{fold(name)}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, shown, "sha256")


def _hash(person: Person | None) -> str:
    return person.hash if person is not None else ""
