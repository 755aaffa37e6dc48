"""Callbacks of scripts in the middle of sampling: A1111's on the engine's own hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webui.engine.extensions.calls import Participant


def participants(p: Any) -> Sequence[Participant]:
    """What takes part in the painting of a job's batch."""
    return ()
