"""Drawing a grid of pictures with its labels, in little memory whatever its size.

Pictures are opened one by one and made smaller first if the whole would be too large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from webui.plans.kind import Grid, Place

MAX_PIXELS: Final = 50_000_000
"""150 MB while it is drawn."""
MAX_SIDE: Final = 16_000
"""WebP's limit is 16,383."""
SMALLEST_CELL: Final = 16
BACKGROUND: Final = "white"
INK: Final = "#1c1c20"
PALE: Final = "#ececf0"
FAINT: Final = "#5b5d66"
FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf")
"""For signs that Pillow's own font lacks, if the system has one of these."""
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, kw_only=True)
class Tile:
    """What stands at one place: `open` gives the picture; without it, `reason` says why none."""

    place: Place
    open: Callable[[], Image.Image] | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Sizes in pixels: of one cell, of the letters, of the bands that hold labels."""

    width: int
    height: int
    letters: int
    left: int
    top: int
    title: int
    margin: int

    def sheet(self, columns: int, rows: int) -> tuple[int, int]:
        """The size of one sheet with its labels."""
        return (
            self.left + columns * self.width + (columns - 1) * self.margin,
            self.title + self.top + rows * self.height + (rows - 1) * self.margin,
        )


def draw_grid(grid: Grid, tiles: Sequence[Tile], cell: tuple[int, int]) -> Image.Image:
    """The grid as one picture, its sheets side by side. `cell` is the size of a picture; other
    sizes are fitted into it."""
    measures = _measured(grid, cell)
    columns, rows = len(grid.columns), len(grid.rows)
    width, height = measures.sheet(columns, rows)
    gaps = (len(grid.sheets) - 1) * measures.margin
    whole = Image.new("RGB", (width * len(grid.sheets) + gaps, height), BACKGROUND)
    draw = ImageDraw.Draw(whole)
    for sheet in range(len(grid.sheets)):
        left = sheet * (width + measures.margin)
        if grid.has_legend:
            _write_labels(draw, grid, measures, sheet, left)
    for tile in tiles:
        left = tile.place.sheet * (width + measures.margin) + measures.left
        x = left + tile.place.column * (measures.width + measures.margin)
        y = measures.title + measures.top + tile.place.row * (measures.height + measures.margin)
        _paste(whole, draw, tile, measures, (x, y))
    return whole


def _measured(grid: Grid, cell: tuple[int, int]) -> Measures:
    """The largest that stays within the limits: letters grow and shrink with the cells."""
    scale = 1.0
    while True:
        measures = _measures(grid, cell, scale)
        width, height = measures.sheet(len(grid.columns), len(grid.rows))
        width *= len(grid.sheets)
        excess = max(math.sqrt(width * height / MAX_PIXELS), width / MAX_SIDE, height / MAX_SIDE)
        if excess <= 1 or min(measures.width, measures.height) <= SMALLEST_CELL:
            return measures
        scale *= min(0.98, 1 / excess)


def _measures(grid: Grid, cell: tuple[int, int], scale: float) -> Measures:
    width = max(SMALLEST_CELL, round(cell[0] * scale))
    height = max(SMALLEST_CELL, round(cell[1] * scale))
    letters = min(48, max(9, (width + height) // 30))
    has = grid.has_legend
    return Measures(
        width=width,
        height=height,
        letters=letters,
        left=width * 3 // 4 if has and any(grid.rows) else 0,
        top=letters * 5 if has and any(grid.columns) else 0,
        title=letters * 3 if has and any(grid.sheets) else 0,
        margin=grid.margin,
    )


def _write_labels(
    draw: ImageDraw.ImageDraw, grid: Grid, measures: Measures, sheet: int, left: int
) -> None:
    width, _ = measures.sheet(len(grid.columns), len(grid.rows))
    _write(draw, grid.sheets[sheet], (left, 0, width, measures.title), measures.letters)
    for at, words in enumerate(grid.columns):
        x = left + measures.left + at * (measures.width + measures.margin)
        box = (x, measures.title, measures.width, measures.top)
        _write(draw, words, box, measures.letters)
    for at, words in enumerate(grid.rows):
        y = measures.title + measures.top + at * (measures.height + measures.margin)
        _write(draw, words, (left, y, measures.left, measures.height), measures.letters)


def _paste(
    whole: Image.Image,
    draw: ImageDraw.ImageDraw,
    tile: Tile,
    measures: Measures,
    corner: tuple[int, int],
) -> None:
    x, y = corner
    box = (x, y, x + measures.width, y + measures.height)
    if tile.open is None:
        draw.rectangle((*box[:2], box[2] - 1, box[3] - 1), PALE)
        place = (x, y, measures.width, measures.height)
        _write(draw, tile.reason, place, max(9, measures.letters * 2 // 3), FAINT)
        return
    with tile.open() as picture:
        small = picture.convert("RGB")
        if small.size != (measures.width, measures.height):
            small.thumbnail((measures.width, measures.height), Image.Resampling.LANCZOS)
        gap = measures.width - small.width, measures.height - small.height
        whole.paste(small, (x + gap[0] // 2, y + gap[1] // 2))


def _write(
    draw: ImageDraw.ImageDraw,
    words: str,
    box: tuple[int, int, int, int],
    letters: int,
    ink: str = INK,
) -> None:
    """Words in the middle of a box (left, top, width, height), broken into lines; letters become
    smaller, down to 8 pixels, until they fit, and what does not fit then is cut off."""
    left, top, width, height = box
    if not words or height <= 0 or width <= 0:
        return
    size = letters
    font = _font(words, size)
    lines = _broken(words, width - 4, font)
    while size > 8 and len(lines) * size * 1.25 > height:
        size -= 1
        font = _font(words, size)
        lines = _broken(words, width - 4, font)
    shown = lines[: max(1, int(height / (size * 1.25)))]
    if len(shown) < len(lines):
        shown[-1] = f"{shown[-1][:-1]}…"
    y = top + (height - len(shown) * size * 1.25) / 2
    for line in shown:
        x = left + max(2.0, (width - font.getlength(line)) / 2)
        draw.text((x, y), line, ink, font)
        y += size * 1.25


def _broken(words: str, width: int, font: Font) -> list[str]:
    """Lines no wider than `width`; a word that is wider is cut in pieces."""
    lines = [""]
    for word in words[:2000].split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if lines[-1] and font.getlength(lines[-1] + sign) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def _font(words: str, size: int) -> Font:
    if not words.isascii():
        for name in FONTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)
