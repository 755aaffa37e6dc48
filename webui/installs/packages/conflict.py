"""Why the packages of an extension can't be had, and the ways out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WayOut(StrEnum):
    """What an owner may do about it."""

    LEAVE_OUT = "leave_out"
    """Do without `subject`: an extra, an optional group, or its wish for a version."""
    WORKER = "worker"
    """Let it run in a process with packages of its own; for extensions written for Gesso."""
    LEAVE_OFF = "leave_off"
    """Not install it, or switch the other off."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way out; `label` says it in words."""

    way: WayOut
    label: str
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two parties that can't agree: `sentence` names them, what they want and the ways out,
    `reason` only what they want; `details` is what the resolver said."""

    sentence: str
    reason: str
    parties: tuple[str, str]
    ways: tuple[Way, ...] = ()
    details: str = ""
