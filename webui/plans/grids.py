"""The grids of a plan that is over: drawn, and saved as pictures of the gallery."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.errors import NotFound
from webui.core.job import Job, JobId, JobState
from webui.core.registry import Registry
from webui.core.result import Picture
from webui.extend.job_hooks import JobHooks
from webui.gallery.gallery import Gallery
from webui.plans.axes import NOTHING
from webui.plans.axis import Axis
from webui.plans.contact_sheet import Tile, draw_grid
from webui.plans.grid_hooks import edited
from webui.plans.kind import Grid, Layout
from webui.plans.kinds import load_kinds
from webui.plans.plan import CellState, Plan, PlanState
from webui.plans.store import PlanStore

NOT_MADE: Final = "not made"
DELETED: Final = "deleted"
AXES: Final = ("x", "y", "z")


def save_grids(
    plan: Plan,
    layout: Layout,
    store: PlanStore,
    gallery: Gallery,
    axes: Registry[Axis],
    hooks: JobHooks,
) -> list[Picture]:
    """The whole grid, and one for each sheet if that was asked for; none when there is nothing
    to show. Extensions' `hooks` see the pictures of each. A second call for the same round gives
    the same pictures. Raises DiskFull."""
    grid = layout.grid
    pictures = store.first_pictures(plan.id)
    if grid is None or not pictures or layout.count < 2:
        return []
    tiles, first = _tiles(plan, layout, store, gallery, pictures)
    if first is None:
        return []
    script = _script(plan, axes)
    shown = edited(tiles, grid, hooks)
    saved = [_save(plan, 0, grid, shown, first, gallery, {**script, **hooks.facts})]
    for sheet, title in enumerate(grid.sheets if grid.has_sub_grids else ()):
        own = [
            replace(tile, place=replace(tile.place, sheet=0))
            for tile in tiles
            if tile.place.sheet == sheet
        ]
        part = replace(grid, sheets=(title,))
        shown = edited(own, part, hooks)
        facts = {**script, **hooks.facts}
        saved.append(_save(plan, sheet + 1, part, shown, first, gallery, facts))
    return saved


def _tiles(
    plan: Plan, layout: Layout, store: PlanStore, gallery: Gallery, pictures: dict[int, str]
) -> tuple[list[Tile], Picture | None]:
    """All places, and the first picture that is there."""
    reasons = {cell.number: cell.reason for cell in store.cells(plan.id, CellState.FAILED)}
    tiles, first = [], None
    for number in range(layout.count):
        place = layout.place(number)
        found = _present(gallery, pictures[number]) if number in pictures else None
        if found is not None:
            tiles.append(Tile(place=place, open=partial(_open, found.path)))
            first = first or found
        else:
            reason = DELETED if number in pictures else reasons.get(number, NOT_MADE)
            tiles.append(Tile(place=place, reason=reason))
    return tiles, first


def _present(gallery: Gallery, id: str) -> Picture | None:
    try:
        picture = gallery.get(id)
    except NotFound:
        return None
    return picture if not picture.is_trashed and picture.path.is_file() else None


def _open(path: Path) -> Image.Image:
    return Image.open(path)


def _save(
    plan: Plan,
    number: int,
    grid: Grid,
    tiles: Sequence[Tile],
    first: Picture,
    gallery: Gallery,
    script: Mapping[str, str],
) -> Picture:
    """The grid with the recipe of its first picture, under a job of its own that never ran."""
    sheet = Job(
        id=JobId(f"{plan.id}-grid-{plan.round}-{number}"),
        owner=plan.owner,
        state=JobState.DONE,
        request=first.recipe.request(),
        recipe=first.recipe,
        created_at=plan.created_at,
        finished_at=time.time(),
    )
    image = draw_grid(grid, tiles, (first.width, first.height))
    facts = {"plan": plan.id, "grid": _words(plan, grid), **script}
    return gallery.save(sheet, 0, image, facts, is_grid=True)


def _words(plan: Plan, grid: Grid) -> str:
    """What the grid shows, for its record."""
    sides = [side for side in (grid.columns, grid.rows, grid.sheets) if any(side)]
    cancelled = " (cancelled)" if plan.state is PlanState.CANCELLED else ""
    label = load_kinds()[plan.asked.kind].label
    return f"{label}{cancelled}; " + " × ".join(" | ".join(side) for side in sides)


def _script(plan: Plan, axes: Registry[Axis]) -> dict[str, str]:
    """What A1111 writes into a grid: the script, and the axes with their values."""
    told = {"Script": load_kinds()[plan.asked.kind].label}
    for letter in AXES:
        choice = plan.asked.options.get(letter) or {}
        axis = axes.get(choice.get("axis", ""))
        if axis is not None and axis.id != NOTHING.id:
            told[f"{letter.upper()} Type"] = axis.label
            told[f"{letter.upper()} Values"] = choice.get("values", "")
    return told
