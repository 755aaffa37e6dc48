"""docs/samplers.md has a row for every sampler and schedule, and its facts are the code's."""

from __future__ import annotations

from pathlib import Path

from webui.samplers import load_samplers
from webui.schedules import load_schedules

PAGE = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text(encoding="utf-8")


def rows(columns: int) -> dict[str, list[str]]:
    """The cells after the first, by the first, of the table with so many columns."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines if len(cells) == columns}


def read(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def test_every_sampler_has_a_row_that_tells_the_truth() -> None:
    table, schedules = rows(7), load_schedules()
    assert set(table) == {"sampler", *(sampler.label for sampler in load_samplers())}
    for sampler in load_samplers():
        _, _, calls, automatic, _, reads = table[sampler.label]
        own = sampler.own_sigmas is not None
        assert automatic == ("own timesteps" if own else schedules[sampler.default_schedule].label)
        assert reads == read(sampler.reads)
        assert calls == str(sampler.calls_per_step) or calls.endswith("own steps")


def test_every_schedule_has_a_row_that_tells_the_truth() -> None:
    table = rows(4)
    assert set(table) == {"schedule", *(schedule.label for schedule in load_schedules())}
    for schedule in load_schedules():
        assert table[schedule.label][-1] == read(schedule.reads)
