"""Grids as pictures: labels beside, sizes within bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from webui.plans.contact_sheet import MAX_PIXELS, MAX_SIDE, Tile, draw_grid
from webui.plans.kind import Grid, Place

RED = (255, 0, 0)


def red(width: int = 64, height: int = 64) -> Callable[[], Image.Image]:
    return lambda: Image.new("RGB", (width, height), RED)


def tiles(columns: int, rows: int, sheets: int = 1) -> list[Tile]:
    return [
        Tile(place=Place(column=column, row=row, sheet=sheet), open=red())
        for sheet in range(sheets)
        for row in range(rows)
        for column in range(columns)
    ]


def red_pixels(image: Image.Image) -> int:
    return int((np.asarray(image) == RED).all(axis=2).sum())


@pytest.mark.parametrize(
    ("columns", "rows", "sheets"), [(1, 1, 1), (3, 2, 1), (2, 2, 3), (5, 1, 2)]
)
def test_labels_stand_beside_the_pictures_not_on_them(columns: int, rows: int, sheets: int) -> None:
    grid = Grid(
        columns=tuple(f"Steps: {at}" for at in range(columns)),
        rows=tuple(f"Sampler: a long name {at}" for at in range(rows)),
        sheets=tuple(f"Checkpoint: {at}" for at in range(sheets)),
        margin=4,
    )
    drawn = draw_grid(grid, tiles(columns, rows, sheets), (64, 64))
    assert red_pixels(drawn) == columns * rows * sheets * 64 * 64
    ink = int((np.asarray(drawn).max(axis=2) < 128).sum())
    assert ink > 0


@pytest.mark.parametrize(
    ("columns", "rows", "cell"),
    [(100, 100, (512, 512)), (400, 1, (2048, 2048)), (1, 300, (64, 2048))],
)
def test_a_large_grid_is_made_smaller(columns: int, rows: int, cell: tuple[int, int]) -> None:
    grid = Grid(columns=("x",) * columns, rows=("y",) * rows)
    drawn = draw_grid(grid, [], cell)
    assert drawn.width * drawn.height <= MAX_PIXELS
    assert max(drawn.size) <= MAX_SIDE


def test_a_picture_of_another_size_is_fitted_whole() -> None:
    grid = Grid(columns=("",), rows=("",))
    tile = Tile(place=Place(column=0, row=0), open=red(128, 64))
    drawn = draw_grid(grid, [tile], (64, 64))
    assert drawn.size == (64, 64)
    assert red_pixels(drawn) == 64 * 32


@pytest.mark.parametrize(
    "words", ["word " * 500, "x" * 3000, "日本語 ü “quoted”", " ", "a\nb\tc", "\u202e\x00"]
)
def test_any_words_can_be_drawn(words: str) -> None:
    grid = Grid(columns=(words,), rows=(words,), sheets=(words,))
    reason = Tile(place=Place(column=0, row=0), reason=words)
    assert draw_grid(grid, [reason], (64, 64)).size > (64, 64)
