"""Soft inpainting's last mask: new where much changed, old where little did, never outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from webui.core.request import SoftInpainting
from webui.imaging.masks import gaussian_blur, overlay_alpha
from webui.imaging.soft import changed_alpha

SIZE = (64, 48)
BLACK = Image.new("RGB", SIZE)
SOFT = SoftInpainting()
ALL = Image.new("L", SIZE, 255)


def grey(level: int) -> Image.Image:
    return Image.new("RGB", SIZE, (level, level, level))


def alpha(
    painted: Image.Image, mask: Image.Image = ALL, soft: SoftInpainting = SOFT
) -> npt.NDArray[np.uint8]:
    return np.asarray(changed_alpha(BLACK, painted, mask, soft))


def round_mask() -> Image.Image:
    mask = Image.new("L", SIZE)
    mask.paste(255, (20, 16, 44, 32))
    return gaussian_blur(mask, 4)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.floats(0, 8), st.floats(0, 8), st.floats(0, 1))
def test_outside_the_mask_nothing_is_new(
    seed: int, threshold: float, contrast: float, influence: float
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    soft = SoftInpainting(
        difference_threshold=threshold, difference_contrast=contrast, mask_influence=influence
    )
    mask = round_mask()
    assert (alpha(Image.fromarray(noise), mask, soft)[np.asarray(mask) == 0] == 0).all()


def test_what_did_not_change_stays_the_sources() -> None:
    assert alpha(BLACK).max() == 0


def test_what_changed_much_is_new_as_far_as_the_mask_shows_it() -> None:
    assert alpha(grey(255)).min() >= 250
    shown = np.asarray(overlay_alpha(round_mask()), int)
    assert np.abs(alpha(grey(255), round_mask()).astype(int) - shown).max() <= 5


def test_at_the_threshold_the_two_are_mixed_half_and_half() -> None:
    """A threshold of 0.5 is 16 grey levels."""
    assert alpha(grey(16)) == pytest.approx(127.5, abs=1)
    steep, flat = (replace(SOFT, difference_contrast=c) for c in (8.0, 0.5))
    assert alpha(grey(16), soft=steep) == pytest.approx(127.5, abs=1)
    assert (
        alpha(grey(24), soft=steep).min() > alpha(grey(24)).max() > alpha(grey(24), soft=flat)[0, 0]
    )


def test_a_threshold_of_0_takes_all_that_is_masked() -> None:
    none = replace(SOFT, difference_threshold=0.0)
    assert alpha(BLACK, round_mask(), none).tobytes() == overlay_alpha(round_mask()).tobytes()


def test_a_higher_threshold_keeps_more() -> None:
    shown = [
        alpha(grey(30), soft=replace(SOFT, difference_threshold=t)).mean() for t in (0.2, 1, 4)
    ]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > shown[-1] + 100


def test_the_masks_influence_counts_where_it_is_weak() -> None:
    weak, swayed = Image.new("L", SIZE, 140), replace(SOFT, mask_influence=1.0)
    assert alpha(grey(24), weak, swayed).mean() < alpha(grey(24), weak).mean() - 50
    assert alpha(grey(24), ALL, swayed).tobytes() == alpha(grey(24), ALL).tobytes()
