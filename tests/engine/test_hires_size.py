"""How large a second pass gets: A1111's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.core.request import Hires
from webui.engine.hires_size import hires_size

SIDES = st.integers(8, 128).map(lambda cells: cells * 8)


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((512, 512), 2.0, (1024, 1024)),
        ((512, 768), 1.5, (768, 1152)),
        ((640, 360), 1.3, (832, 464)),
        ((512, 512), 1.0, (512, 512)),
    ],
)
def test_a_factor_is_rounded_down_to_whole_cells(
    size: tuple[int, int], scale: float, expected: tuple[int, int]
) -> None:
    found = hires_size(*size, Hires(scale=scale))
    assert (found.width, found.height) == expected
    assert found.crop == (0, 0)


@pytest.mark.parametrize(
    ("size", "wanted", "enlarged", "kept", "crop"),
    [
        ((512, 512), (1024, 768), (1024, 1024), (1024, 768), (0, 16)),
        ((512, 512), (768, 1024), (1024, 1024), (768, 1024), (16, 0)),
        ((768, 512), (1536, 1024), (1536, 1024), (1536, 1024), (0, 0)),
        ((512, 768), (1000, 1000), (1000, 1500), (1000, 1000), (0, 31)),
    ],
)
def test_an_exact_size_is_covered_and_cut(
    size: tuple[int, int],
    wanted: tuple[int, int],
    enlarged: tuple[int, int],
    kept: tuple[int, int],
    crop: tuple[int, int],
) -> None:
    found = hires_size(*size, Hires(width=wanted[0], height=wanted[1]))
    assert (found.enlarged_width, found.enlarged_height) == enlarged
    assert (found.width, found.height) == kept
    assert found.crop == crop


@settings(max_examples=200)
@given(width=SIDES, height=SIDES, wanted_width=SIDES, wanted_height=SIDES)
def test_what_is_kept_lies_within_what_was_enlarged(
    width: int, height: int, wanted_width: int, wanted_height: int
) -> None:
    size = hires_size(width, height, Hires(width=wanted_width, height=wanted_height))
    left, top = size.crop
    assert (size.width, size.height) == (wanted_width, wanted_height)
    assert 0 <= left * 8 <= size.enlarged_width - size.width
    assert 0 <= top * 8 <= size.enlarged_height - size.height
