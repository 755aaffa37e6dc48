"""Pictures cut into tiles, put together again, and grids with words at their sides. Its names are
those of `modules.images`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from modules import shared
from modules.paths_internal import roboto_ttf_file
from webui.compat.missing import unprovided


class _Tiles(NamedTuple):
    tiles: Any
    tile_w: int
    tile_h: int
    image_w: int
    image_h: int
    overlap: int


class Grid(_Tiles):
    """A picture in tiles: rows of [y, height, [[x, width, picture], ...]]."""

    @property
    def tile_count(self) -> int:
        """How many tiles there are."""
        return sum(len(row[2]) for row in self.tiles)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin that cover a length, overlapping about as much as asked for."""
    step = max(1, tile - overlap)
    count = max(1, math.ceil((length - overlap) / step))
    spare = (length - tile) / (count - 1) if count > 1 else 0
    starts = [int(i * spare) for i in range(count)]
    return [max(0, min(start, length - tile)) for start in starts]


def split_grid(image: Any, tile_w: int = 512, tile_h: int = 512, overlap: int = 64) -> Grid:
    """A picture in overlapping tiles."""
    width, height = image.width, image.height
    rows = []
    for y in _starts(height, tile_h, overlap):
        row = [
            [x, tile_w, image.crop((x, y, x + tile_w, y + tile_h))]
            for x in _starts(width, tile_w, overlap)
        ]
        rows.append([y, tile_h, row])
    return Grid(rows, tile_w, tile_h, width, height, overlap)


def _ramp(width: int, height: int, *, along_x: bool) -> Any:
    """A mask that rises from black to white."""
    line = np.linspace(0, 255, width if along_x else height, dtype=np.float32).astype(np.uint8)
    pixels = np.tile(line, (height, 1)) if along_x else np.tile(line[:, None], (1, width))
    return Image.fromarray(pixels)


def combine_grid(grid: Any) -> Any:
    """The picture that tiles make, softly over where they overlap."""
    whole = Image.new("RGB", (grid.image_w, grid.image_h))
    below = 0
    for y, high, row in grid.tiles:
        line = Image.new("RGB", (grid.image_w, high))
        right = 0
        for x, wide, tile in row:
            overlap = max(0, right - x)
            if overlap:
                box = tile.crop((0, 0, overlap, high))
                line.paste(box, (x, 0), _ramp(overlap, high, along_x=True))
            line.paste(tile.crop((overlap, 0, wide, high)), (x + overlap, 0))
            right = x + wide
        overlap = max(0, below - y)
        if overlap:
            top = line.crop((0, 0, grid.image_w, overlap))
            whole.paste(top, (0, y), _ramp(grid.image_w, overlap, along_x=False))
        whole.paste(line.crop((0, overlap, grid.image_w, high)), (0, y + overlap))
        below = y + high
    return whole


class GridAnnotation:
    """Words at a row or a column; struck through unless active."""

    def __init__(self, text: str = "", is_active: bool = True) -> None:
        self.text = text
        self.is_active = is_active
        self.size: Any = None


def get_font(fontsize: int) -> Any:
    """A font of this size in pixels."""
    try:
        return ImageFont.truetype(shared.opts.font or roboto_ttf_file, fontsize)
    except OSError:
        return ImageFont.load_default(fontsize)


def _wrapped(draw: Any, text: str, font: Any, width: float) -> list[str]:
    """A text in lines that fit."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or draw.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _lines(draw: Any, texts: Any, font: Any, width: float) -> list[tuple[str, bool]]:
    return [
        (line, each.is_active) for each in texts for line in _wrapped(draw, each.text, font, width)
    ]


def _write(draw: Any, x: float, y: float, lines: Any, font: Any, line_height: float) -> None:
    """Lines, their middle at x, the first at y."""
    active, inactive = shared.opts.grid_text_active_color, shared.opts.grid_text_inactive_color
    for i, (text, is_active) in enumerate(lines):
        middle = y + (i + 0.5) * line_height
        colour = active if is_active else inactive
        draw.text((x, middle), text, font=font, fill=colour, anchor="mm")
        if not is_active:
            half = draw.textlength(text, font=font) / 2
            draw.line((x - half, middle, x + half, middle), fill=colour, width=4)


def draw_grid_annotations(
    im: Any, width: int, height: int, hor_texts: Any, ver_texts: Any, margin: int = 0
) -> Any:
    """A grid of pictures of this size with words above its columns and left of its rows."""
    size = max(8, (width + height) // 25)
    font, line_height = get_font(size), size * 1.3
    draw = ImageDraw.Draw(im)
    pad_left = 0 if not any(each.text for row in ver_texts for each in row) else width * 3 // 4
    columns = [_lines(draw, texts, font, width) for texts in hor_texts]
    rows = [_lines(draw, texts, font, max(1, pad_left)) for texts in ver_texts]
    highest = max((len(lines) for lines in columns), default=0)
    pad_top = 0 if not any(t.text for c in hor_texts for t in c) else int(
        highest * line_height + size * 2
    )  # fmt: skip
    whole = (im.width + pad_left, im.height + pad_top)
    result = Image.new("RGB", whole, shared.opts.grid_background_color)
    for r in range(len(ver_texts)):
        for c in range(len(hor_texts)):
            x, y = (width + margin) * c, (height + margin) * r
            result.paste(im.crop((x, y, x + width, y + height)), (pad_left + x, pad_top + y))
    draw = ImageDraw.Draw(result)
    for c, lines in enumerate(columns):
        middle = pad_left + (width + margin) * c + width / 2
        _write(draw, middle, (pad_top - len(lines) * line_height) / 2, lines, font, line_height)
    for r, lines in enumerate(rows):
        top = pad_top + (height + margin) * r + (height - len(lines) * line_height) / 2
        _write(draw, pad_left / 2, top, lines, font, line_height)
    return result


def draw_prompt_matrix(im: Any, width: int, height: int, all_prompts: Any, margin: int = 0) -> Any:
    """A grid of all combinations of a prompt's parts, with the parts at its sides."""
    parts = all_prompts[1:]
    boundary = math.ceil(len(parts) / 2)
    hor, ver = parts[:boundary], parts[boundary:]

    def texts(some: Any) -> list[list[GridAnnotation]]:
        return [
            [GridAnnotation(part, is_active=bool(pos & (1 << i))) for i, part in enumerate(some)]
            for pos in range(1 << len(some))
        ]

    return draw_grid_annotations(im, width, height, texts(hor), texts(ver), margin)


__getattr__ = unprovided(__name__)
