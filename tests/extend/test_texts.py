"""The values of extensions in a picture's text, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import finished
from tests.extend.conftest import Workshop
from webui.core.request import GenerationRequest
from webui.imaging.infotext import Infotext, join_infotext, read_infotext
from webui.studio import Studio

GRAIN = """
INPUTS = [
    Toggle("enabled", "Grain"),
    Slider("strength", "Strength", 0.2),
    Slider("size", "Size", 2, low=1, high=9, step=1),
    Choice("kind", "Kind (rough)", "fine", choices=["fine", "coarse, or so"]),
    Text("words", "Words"),
    Text("hex", "HEX colour"),
    Slider("steps", "Passes", infotext="Steps", high=9.0),
    Slider("amount", "Amount", infotext="Film grain"),
]
@hook
def image_post(item): ...
"""
CAT = GenerationRequest(prompt="a cat", seed=7)


@pytest.fixture
def studio(workshop: Workshop) -> Studio:
    """One with film-grain, which was not asked to draw anything."""
    workshop.write("film-grain", GRAIN)
    return workshop.studio("film-grain")


def test_values_stand_in_the_text_under_their_labels(studio: Studio) -> None:
    request = replace(
        CAT,
        extensions={
            "film-grain": {
                "enabled": True, "strength": 0.3, "kind": "coarse, or so", "hex": "#fff",
            }
        },
    )  # fmt: skip
    job = finished(studio, studio.submit(request).id)
    (picture,) = studio.gallery.of_job(job.id)
    text = studio.infotext(picture.recipe)
    for pair in (
        "Film grain grain: True",
        "Film grain strength: 0.3",
        "Film grain size: 2",
        'Film grain kind rough: "coarse, or so"',
        "Film grain HEX colour: #fff",
        "film-grain steps: 0",
        "Film grain: 0,",
    ):
        assert pair in text
    assert "Film grain words" not in text
    read = studio.read_text(text).request.extensions["film-grain"]
    assert {**picture.recipe.extensions["film-grain"], "words": None} == {**read, "words": None}
    assert studio.read_picture(picture.path.read_bytes()).request.extensions == dict(
        picture.recipe.extensions
    )


def test_a_plain_picture_says_nothing_of_extensions(studio: Studio) -> None:
    assert "grain" not in studio.infotext(studio.resolve(CAT)).lower()


@pytest.mark.parametrize(
    ("pair", "is_taken"),
    [
        ("Film grain strength: 0.5", True),
        ("Film grain strength: 5", False),
        ("Film grain strength: much", False),
        ("Film grain grain: maybe", False),
        ("Film grain kind rough: huge", False),
        ("Film grain size: 3", True),
    ],
)
def test_what_does_not_fit_is_handed_back(studio: Studio, pair: str, is_taken: bool) -> None:
    found = studio.read_text(f"a cat\nSteps: 20, Sampler: Euler, {pair}, Seed: 1")
    assert bool(found.request.extensions) is is_taken
    assert (pair.partition(":")[0] in found.ignored) is not is_taken


def test_whole_numbers_come_back_whole(studio: Studio) -> None:
    found = studio.read_text("a cat\nSteps: 20, Sampler: Euler, Film grain size: 3, Seed: 1")
    assert repr(found.request.extensions) == "{'film-grain': {'size': 3}}"


def test_what_nobody_knows_while_it_is_off_is_handed_back(studio: Studio) -> None:
    studio.extensions.disable("film-grain")
    found = studio.read_text("a cat\nSteps: 20, Sampler: Euler, Film grain size: 3, Seed: 1")
    assert found.ignored == {"Film grain size": "3"}


def test_extensions_may_read_what_we_do_not_know(workshop: Workshop) -> None:
    code = """
    @hook
    def infotext_parse(text, fields):
        assert text.startswith("a cat")
        return {**fields, "Steps": fields.pop("Iterations")}
    """
    workshop.write("one", code)
    studio = workshop.studio("one")
    text = "a cat\nIterations: 33, Sampler: Euler, Seed: 1"
    assert studio.read_text(text).request.sampling.steps == 33
    studio.read_text("a cat\nSteps: 20, Sampler: Euler, Seed: 1")  # without Iterations it fails
    (failure,) = studio.extensions.get("one").failures
    assert failure.hook == "infotext_parse"


WORDS = """
INPUTS = [Text("words", "Words"), Slider("x", "X", high=1e6), Toggle("flag", "Flag", True)]
@hook
def image_post(item): ...
"""


def test_any_value_comes_back(workshop: Workshop) -> None:
    workshop.write("w", WORDS)
    texts = workshop.enabled("w").texts

    @settings(max_examples=60)
    @given(words=st.text(max_size=60), x=st.floats(0, 1e6), flag=st.booleans())
    def check(words: str, x: float, flag: bool) -> None:
        told = texts.pairs({"w": {"words": words, "x": x, "flag": flag}})
        full = {"Steps": "1", "Sampler": "Euler", "Seed": "1", **told}
        text = join_infotext(Infotext(prompt="a", negative_prompt="", settings=full))
        back = read_infotext(text).settings
        read = [texts.read(key, back[key]) for key in told]
        found = {input: value for _, input, value in filter(None, read)}
        assert found.get("words", "") == words
        assert found["x"] == x
        assert found.get("flag", True) is flag

    check()
