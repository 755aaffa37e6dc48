"""Ways to space the noise levels of a run: one file each, found by scanning this folder."""

from webui.schedules.schedule import AUTOMATIC, Schedules, load_schedules

__all__ = ["AUTOMATIC", "Schedules", "load_schedules"]
