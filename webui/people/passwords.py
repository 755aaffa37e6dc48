"""Passwords: which are taken, and argon2id, in threads of its own and a few at a time.

A hash costs 19 MiB and tens of milliseconds on purpose. More of them at once than the desk takes
would slow down everyone who uses the server.
"""

from __future__ import annotations

import asyncio
import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webui.core.errors import InvalidRequest
from webui.people.commonest import COMMONEST
from webui.people.faults import TooManyTries
from webui.people.names import fold

T = TypeVar("T")

LEAST_CHARACTERS: Final = 10
MOST_CHARACTERS: Final = 200
MEMORY_KIB: Final = 19 * 1024
ROUNDS: Final = 2
LANES: Final = 1
"""OWASP's figures for argon2id."""
NOBODYS: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$Q0mLnMGeCyoRFO5XsKqzAw$"
    "V3ZNNZ3mOJsm1fVSv0yT1yFSTb5h0vQqfHnBWEZx0wA"
)
"""Random bytes in the form of a hash: a try with an unknown name costs as much as any other."""
AT_ONCE: Final = max(1, min(2, (os.cpu_count() or 1) // 2))
MOST_WAITING: Final = 32
BUSY_S: Final = 5.0


class Argon2(Protocol):
    """What is needed of argon2-cffi's PasswordHasher."""

    def hash(self, password: str | bytes) -> str:
        """The salted hash in its usual form."""
        ...

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        """True, or raises VerificationError."""
        ...


def real_argon2() -> Argon2:
    """argon2id at its real price."""
    return PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)


def check_password(password: str, name: str) -> None:
    """Raises InvalidRequest for the field "password" when it would be guessed soon."""
    folded = fold(password)
    if len(password) < LEAST_CHARACTERS:
        raise InvalidRequest(
            "password",
            f"This password has {len(password)} characters. Use {LEAST_CHARACTERS} or more; "
            "four words in a row do well.",
        )
    if len(password) > MOST_CHARACTERS:
        raise InvalidRequest(
            "password",
            f"This password has {len(password)} characters. Use at most {MOST_CHARACTERS}.",
        )
    bare = folded.replace(" ", "")
    if name and bare.strip("0123456789!.-_") == fold(name).replace(" ", ""):
        raise InvalidRequest(
            "password", "The name is the first thing that is tried. Choose another."
        )
    if len(set(bare)) < 4 or bare in COMMONEST or bare.rstrip("0123456789!.") in COMMONEST:
        raise InvalidRequest(
            "password", "This password is among those that are tried first. Choose another."
        )


class Passwords:
    """Makes and checks hashes, in the calling thread."""

    def __init__(self, argon2: Argon2 | None = None) -> None:
        """`argon2` is the real one unless a test brings a cheaper one."""
        self._argon2: Final = argon2 or real_argon2()

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._argon2.hash(_as_typed_anywhere(password))

    def is_right(self, password: str, hash: str) -> bool:
        """Whether the hash is of this password. One of "" is never, at the same price."""
        try:
            is_right = self._argon2.verify(hash or NOBODYS, _as_typed_anywhere(password))
        except (VerificationError, InvalidHashError):
            return False
        return is_right and bool(hash)


class Desk:
    """Where hashing is done: in a few threads, with a short line before them."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        # Not below the others in rank: one that waits for the processor while it holds the
        # interpreter's lock would hold up everybody (measured: p95 380 ms in place of 70).
        self._threads: Final = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._most: Final = at_once + most_waiting
        self._lock: Final = threading.Lock()
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives back. Raises TooManyTries at once when the line is too long."""
        with self._lock:
            if self._inside >= self._most:
                raise TooManyTries(BUSY_S)
            self._inside += 1
        future = self._threads.submit(work)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads; work that has begun is finished first."""
        self._threads.shutdown(cancel_futures=True)

    def _leave(self, _: object) -> None:
        with self._lock:
            self._inside -= 1


def _as_typed_anywhere(password: str) -> bytes:
    """One system types "é" as one character, another as two."""
    return unicodedata.normalize("NFC", password[:MOST_CHARACTERS]).encode("utf-8", "surrogatepass")
