"""Requests and recipes as JSON, and what a person reads when a value does not fit."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.core.codec import check, decode, from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import (
    MAX_SEED,
    GenerationRequest,
    InputId,
    Mask,
    MaskArea,
    Mode,
    ResizeMode,
    Sampling,
    Source,
)

INPUT = InputId("a" * 64)

sides = st.integers(8, 256).map(lambda n: n * 8)
samplings = st.builds(
    Sampling,
    sampler=st.none() | st.just("euler"),
    schedule=st.none() | st.just("karras"),
    steps=st.none() | st.integers(1, 150),
    guidance_scale=st.none() | st.floats(1, 30),
    clip_skip=st.none() | st.integers(1, 12),
)
sources = st.builds(
    Source,
    image=st.just(INPUT),
    denoising_strength=st.floats(0, 1),
    resize_mode=st.sampled_from(ResizeMode),
)
masks = st.builds(
    Mask,
    image=st.just(INPUT),
    blur=st.integers(0, 64),
    area=st.sampled_from(MaskArea),
    padding=st.integers(0, 256),
    inverted=st.booleans(),
)
requests = st.builds(
    GenerationRequest,
    prompt=st.text(max_size=50),
    negative_prompt=st.text(max_size=50),
    checkpoint=st.none() | st.just("starter"),
    width=st.none() | sides,
    height=st.none() | sides,
    seed=st.none() | st.integers(0, MAX_SEED),
    batch_size=st.integers(1, 8),
    batch_count=st.integers(1, 100),
    sampling=samplings,
    source=st.none() | sources,
    mask=st.none() | masks,
)
recipes = st.builds(
    Recipe,
    prompt=st.text(max_size=50),
    negative_prompt=st.text(max_size=50),
    model=st.just(ModelRef(id="starter", name="starter", family="sd15", hash="0" * 64)),
    width=sides,
    height=sides,
    seed=st.integers(0, MAX_SEED),
    sampler=st.just("euler"),
    schedule=st.just("karras"),
    steps=st.integers(1, 150),
    guidance_scale=st.floats(1, 30),
    clip_skip=st.integers(1, 12),
    source=st.none() | sources,
    mask=st.none() | masks,
    version=st.just("0.1.0"),
)


@given(requests)
def test_a_request_survives_json(request: GenerationRequest) -> None:
    assert from_json(GenerationRequest, to_json(request)) == request


@given(recipes)
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert from_json(Recipe, to_json(recipe)) == recipe


@given(recipes)
def test_a_recipe_gives_a_complete_valid_request(recipe: Recipe) -> None:
    request = check(recipe.request())
    assert request.picture_count == 1
    assert (request.seed, request.width, request.height) == (
        recipe.seed,
        recipe.width,
        recipe.height,
    )
    blanks = {name for name, value in vars(request.sampling).items() if value is None}
    assert blanks <= {"distilled_guidance"}  # which most models don't know


def test_picture_i_gets_seed_plus_i_and_wraps() -> None:
    recipe = Recipe(
        prompt="", negative_prompt="", width=64, height=64, seed=MAX_SEED, sampler="euler",
        schedule="karras", steps=1, guidance_scale=1, clip_skip=1, version="0",
        model=ModelRef(id="m", name="m", family="sd15", hash="0" * 64),
    )  # fmt: skip
    assert [recipe.at(i).seed for i in range(3)] == [MAX_SEED, 0, 1]


@pytest.mark.parametrize(
    ("data", "field", "text"),
    [
        ({"width": 513}, "width", "Width 513 is not a multiple of 8. Try 512 or 520."),
        ({"height": 32}, "height", "Height 32 is too small. The smallest is 64."),
        (
            {"sampling": {"steps": 151}},
            "sampling.steps",
            "Steps 151 is too large. The largest is 150.",
        ),
        (
            {"source": {"image": "x", "denoising_strength": -1}},
            "source.denoising_strength",
            "Denoising strength -1 is too small. The smallest is 0.",
        ),
        ({"sampling": {"steps": 1.5}}, "sampling.steps", "Steps “1.5” is not a whole number."),
        (
            {"sampling": {"guidance_scale": "high"}},
            "sampling.guidance_scale",
            "Guidance scale “high” is not a number.",
        ),
        ({"source": {}}, "source.image", "Image is missing."),
        ({"seed": -2}, "seed", "Seed -2 is too small. The smallest is 0."),
        (
            {"source": {"image": "x", "resize_mode": "zoom"}},
            "source.resize_mode",
            "Resize mode “zoom” is not one of 'stretch', 'crop', 'fill' or 'latent'.",
        ),
    ],
)
def test_a_refusal_names_field_value_and_way_out(
    data: dict[str, object], field: str, text: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode(GenerationRequest, data)
    assert (refused.value.field, str(refused.value)) == (field, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_hostile_json_is_refused_politely(value: object) -> None:
    for field in ("prompt", "width", "sampling", "source", "seed", "batch_size"):
        with contextlib.suppress(InvalidRequest):
            assert isinstance(decode(GenerationRequest, {field: value}), GenerationRequest)


def test_the_parts_present_tell_the_mode() -> None:
    source, mask = Source(image=INPUT), Mask(image=INPUT)
    assert GenerationRequest().mode is Mode.TXT2IMG
    assert GenerationRequest(source=source).mode is Mode.IMG2IMG
    assert GenerationRequest(source=source, mask=mask).mode is Mode.INPAINT
