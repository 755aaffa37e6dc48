"""Guiding pictures made of the source picture, with what an extension adds for that."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import png
from tests.extend.conftest import Workshop
from tests.ui.parts import within_loop
from tests.ui.window import opened
from webui.core.errors import ExtensionFailed, InvalidRequest
from webui.studio import Studio
from webui.ui.components.preprocess import made_by

EDGES = """
    from webui.extend import Preprocessor

    def half(image, inputs):
        if inputs["way"] == "fail":
            raise ValueError("planted")
        return image.resize((image.width // 2, image.height // 2))

    @hook
    def register_preprocessors(register):
        ways = [Choice("way", "Way", "work", choices=("work", "fail"))]
        register(Preprocessor(id="half", label="Half", run=half, inputs=ways))
"""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    workshop = Workshop(tmp_path)
    workshop.write("edges", EDGES)
    yield workshop.studio("edges")
    workshop.close()


def test_a_picture_is_prepared(studio: Studio) -> None:
    [(id, part)] = studio.extensions.preprocessors()
    made = Image.open(io.BytesIO(made_by(studio, id, part, png(32, 16), ["work"])))
    assert made.size == (16, 8)


def test_what_fails_is_named_and_booked(studio: Studio) -> None:
    [(id, part)] = studio.extensions.preprocessors()
    with pytest.raises(ExtensionFailed, match="planted"):
        made_by(studio, id, part, png(), ["fail"])
    assert [each.hook for each in studio.extensions.get("edges").failures] == ["preprocessor"]
    with pytest.raises(InvalidRequest, match="Choose one of: work, fail"):
        made_by(studio, id, part, png(), ["other"])


def test_the_group_is_there_only_with_a_preprocessor(studio: Studio) -> None:
    with opened(studio) as house:
        assert house.open().has("img2img_prepare")
        within_loop(lambda: studio.extensions.disable("edges"))
        assert studio.extensions.preprocessors() == ()


def test_the_one_that_comes_along_takes_the_colours_out() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    file = Path(__file__).resolve().parents[2] / "extensions" / "film-look" / "__init__.py"
    spec = spec_from_file_location("film_look", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    ramp = Image.merge("RGB", [Image.linear_gradient("L"), *[Image.new("L", (256, 256), 90)] * 2])
    made = np.asarray(module.monochrome(ramp, {"contrast": 1.0}))
    assert made.ndim == 2
    assert made.min() == 0
    assert made.max() >= 254
