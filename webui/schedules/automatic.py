"""Leaves the choice to the sampler."""

from __future__ import annotations

from typing import Final

from webui.schedules.schedule import AUTOMATIC, Schedule

SCHEDULE: Final = Schedule(id=AUTOMATIC, label="Automatic", place=1, sigmas=None)
