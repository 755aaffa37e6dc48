"""Sizes and defaults that follow the model and the source picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.conftest import png
from webui.core.model import Defaults
from webui.ui.components.follow_source import size_of
from webui.ui.components.size import size_for

SMALL = Defaults(width=256, height=256, steps=20, guidance_scale=4, sampler="dpmpp_2m")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((256, 256), (256, 256)),
        ((320, 250), (320, 248)),
        ((1024, 1024), (256, 256)),
        ((4000, 3000), (296, 224)),
        ((30, 20), (64, 64)),
        ((9000, 100), (2048, 64)),
    ],
)
def test_size_for_a_source(source: tuple[int, int], expected: tuple[int, int]) -> None:
    assert size_for(source, SMALL) == expected


def test_a_photo_on_its_side_is_measured_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (120, 80)).save(buffer, "JPEG", exif=exif)
    assert size_of({"background": buffer.getvalue(), "layers": []}) == (80, 120)


def test_an_empty_place_has_no_size() -> None:
    assert size_of(None) is None
    assert size_of({"background": None, "layers": []}) is None
    assert size_of({"background": png(72, 64), "layers": []}) == (72, 64)
