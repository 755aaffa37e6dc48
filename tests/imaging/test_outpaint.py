"""New sides: sizes to the pixel, the source in its place, and a mask that leaves it alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from webui.core.errors import InvalidRequest
from webui.core.request import Outpaint
from webui.imaging.outpaint import (
    extended,
    outpaint_mask,
    outpaint_size,
    place_of,
    result_size,
)

sides = st.integers(1, 150)
amounts = st.sampled_from([0, 1, 8, 13, 64, 100])


@st.composite
def outpaints(draw: st.DrawFn) -> Outpaint:
    left, right, top, bottom = (draw(amounts) for _ in range(4))
    assume(left + right + top + bottom > 0)
    overlap = draw(st.integers(0, 40))
    return Outpaint(left=left, right=right, top=top, bottom=bottom, overlap=overlap)


@given(sides, sides, outpaints())
def test_whole_cells_are_painted_and_never_more_than_needed(
    width: int, height: int, outpaint: Outpaint
) -> None:
    painted, wanted = (f((width, height), outpaint) for f in (outpaint_size, result_size))
    for side, least in zip(painted, wanted, strict=True):
        assert side % 8 == 0
        assert max(64, least) <= side < max(65, least + 8)


@given(sides, sides, outpaints())
def test_the_source_lies_whole_within_what_is_painted(
    width: int, height: int, outpaint: Outpaint
) -> None:
    source = Image.fromarray(
        np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )
    size = outpaint_size(source.size, outpaint)
    x, y = place_of(size, source.size, outpaint)
    assert x >= outpaint.left
    assert y >= outpaint.top
    whole = extended(source, size, (x, y))
    assert whole.size == size
    assert whole.crop((x, y, x + width, y + height)).tobytes() == source.tobytes()


@given(sides, sides, outpaints())
def test_the_mask_is_white_on_what_is_new_and_black_beyond_the_overlap(
    width: int, height: int, outpaint: Outpaint
) -> None:
    size = outpaint_size((width, height), outpaint)
    x, y = place_of(size, (width, height), outpaint)
    mask = np.asarray(outpaint_mask(size, (width, height), outpaint))
    assert mask.shape == size[::-1]
    is_source = np.zeros(mask.shape, bool)
    is_source[y : y + height, x : x + width] = True
    assert (mask[~is_source] == 255).all()
    overlap = outpaint.overlap
    kept = mask[
        y + overlap * bool(outpaint.top) : y + max(0, height - overlap * bool(outpaint.bottom)),
        x + overlap * bool(outpaint.left) : x + max(0, width - overlap * bool(outpaint.right)),
    ]
    assert (kept == 0).all()


def test_the_overlap_is_a_ramp_along_the_new_side_alone() -> None:
    outpaint = Outpaint(left=8, overlap=16)
    mask = np.asarray(outpaint_mask((72, 64), (64, 64), outpaint))
    row = mask[30].astype(int)
    assert (np.diff(row) <= 0).all()
    assert row[7:10].tolist() == [255, 247, 231]
    assert row[23:26].tolist() == [7, 0, 0]
    assert (mask == mask[0]).all()


def test_without_any_side_there_is_nothing_to_do() -> None:
    with pytest.raises(InvalidRequest, match="all four sides") as refused:
        outpaint_size((512, 512), Outpaint())
    assert refused.value.field == "outpaint"


def test_a_picture_that_would_get_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(InvalidRequest, match="2100×512"):
        outpaint_size((2000, 512), Outpaint(left=100))
