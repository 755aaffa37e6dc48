"""Accounts with a cheap hash and a clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from webui.people.limiter import Limiter
from webui.people.passwords import Passwords
from webui.people.people import People

PASSWORD = "four words in a row"
OTHER = "a horse of another colour"


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


class CheapArgon2:
    """argon2 at the lowest price, which counts how often it was asked."""

    def __init__(self) -> None:
        self._real = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def hash(self, password: str | bytes) -> str:
        return self._real.hash(password)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.verified += 1
        return self._real.verify(hash, password)


def open_people(path: Path, clock: Clock, argon2: CheapArgon2 | None = None) -> People:
    """The accounts at a path."""
    passwords = Passwords(argon2 or CheapArgon2())
    return People(path, passwords=passwords, limiter=Limiter(clock), now=clock)


@pytest.fixture
def clock() -> Clock:
    """The time of `people`."""
    return Clock()


@pytest.fixture
def argon2() -> CheapArgon2:
    """The hash of `people`."""
    return CheapArgon2()


@pytest.fixture
def people(tmp_path: Path, clock: Clock, argon2: CheapArgon2) -> Iterator[People]:
    """Accounts without anybody."""
    opened = open_people(tmp_path / "people.sqlite", clock, argon2)
    yield opened
    opened.close()
