"""Ways to space the noise levels of a run: one file each, found by scanning this folder."""

from webui.schedules.schedule import AUTOMATIC, Schedules, Sigmas, Spacing, load_schedules
from webui.schedules.walk import walk_sigmas

__all__ = ["AUTOMATIC", "Schedules", "Sigmas", "Spacing", "load_schedules", "walk_sigmas"]
