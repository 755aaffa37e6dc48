"""What a webhook is, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NewType

from annotated_types import MaxLen, MinLen

HookId = NewType("HookId", str)

WAITS_S: Final = (2.0, 10.0, 60.0, 600.0, 3600.0)
"""Before each further attempt; after the last of them a call is given up."""


class Occasion(StrEnum):
    """When a webhook is called."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TEST = "test"


@dataclass(frozen=True, kw_only=True)
class HookWish:
    """A webhook that the owner wants to have. `secret` signs what is sent."""

    address: Annotated[str, MinLen(1), MaxLen(2000)]
    secret: Annotated[str, MaxLen(200)] = ""
    occasions: tuple[Occasion, ...] = (Occasion.FINISHED, Occasion.FAILED, Occasion.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook. `fault` says why its last call did not arrive; "" when it did or none was made."""

    id: HookId
    address: str
    secret: str
    occasions: tuple[Occasion, ...]
    created_at: float
    called_at: float | None = None
    fault: str = ""
    waiting: int = 0
    """Calls that have not arrived yet."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One thing to tell one webhook. `id` is the same in each attempt, so that whoever is told
    twice can know it."""

    id: str
    hook: HookId
    body: str
    attempts: int


Facts = Mapping[str, object]
"""What a call tells, as JSON. Never a prompt: it leaves the machine."""
