"""Grids as extensions want them: their pictures go through the `grid` hooks before drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image

from webui.extend.calls import Calls
from webui.extend.data import Grid as Pictures
from webui.extend.data import StopJob
from webui.extend.job_hooks import JobHooks
from webui.plans.contact_sheet import Tile
from webui.plans.kind import Grid


def no_hooks() -> JobHooks:
    """Of a server without extensions."""
    return JobHooks((), Calls(lambda loaded, failure: None))


def edited(tiles: Sequence[Tile], grid: Grid, hooks: JobHooks) -> Sequence[Tile]:
    """The tiles with the pictures that extensions make of theirs; the layout stays. All pictures
    are in memory then, so nothing is opened unless an extension wants to see them."""
    if not hooks.has("grid"):
        return tiles
    images = [_loaded(tile.open) for tile in tiles if tile.open is not None]
    labels = [_label(grid, tile) for tile in tiles if tile.open is not None]
    given = Pictures(images=images, columns=len(grid.columns), labels=labels)
    try:
        found = hooks.fold("grid", "grid", given, partial(_checked, len(images)))
    except StopJob:  # the jobs are over already, and a grid is not worth a plan that never ends
        return tiles
    new = iter(found.images)
    return [tile if tile.open is None else replace(tile, open=next(new).copy) for tile in tiles]


def _loaded(opened: Callable[[], Image.Image]) -> Image.Image:
    with opened() as picture:
        return picture.convert("RGB")


def _label(grid: Grid, tile: Tile) -> str:
    place = tile.place
    sides = (grid.columns[place.column], grid.rows[place.row], grid.sheets[place.sheet])
    return " | ".join(filter(None, sides))


def _checked(count: int, value: Any) -> Pictures:
    """Raises TypeError or ValueError for what can't be drawn."""
    if not isinstance(value, Pictures):
        raise TypeError(f"it gave back a {type(value).__name__}, not a Grid")
    if len(value.images) != count:
        raise ValueError(f"it gave back {len(value.images)} pictures of {count}")
    if not all(isinstance(image, Image.Image) for image in value.images):
        raise TypeError("it gave back something else than pictures")
    return replace(value, images=[image.convert("RGB") for image in value.images])
