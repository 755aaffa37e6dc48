"""A1111's text: exact shape when written, nothing lost or raised when read."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webui.core.recipe import ModelRef, Recipe
from webui.core.request import InputId, Mask, MaskArea, SoftInpainting, Source
from webui.imaging.infotext import Labels, read_infotext, write_infotext

LABELS = Labels(samplers={"dpmpp_2m": "DPM++ 2M"}, schedules={"karras": "Karras"})
SIMPLE = Recipe(
    prompt="a red apple, 3d style",
    negative_prompt="blurry",
    model=ModelRef(id="starter", name="starter", family="sd15", hash="0123456789abcdef" * 4),
    width=256,
    height=320,
    seed=4_000_000_000,
    sampler="dpmpp_2m",
    schedule="karras",
    steps=20,
    guidance_scale=7.0,
    clip_skip=1,
    version="0.1.0",
)
SOURCE = Source(image=InputId("a" * 64), denoising_strength=0.6)
MASK = Mask(image=InputId("b" * 64), blur=8, area=MaskArea.MASKED, padding=16, inverted=True)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def test_text_has_exactly_a1111s_shape() -> None:
    assert write_infotext(SIMPLE, LABELS) == (
        "a red apple, 3d style\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 4000000000, "
        "Size: 256x320, Model hash: 0123456789, Model: starter, RNG: CPU, Version: Gesso 0.1.0"
    )


def test_inpaint_settings_stand_where_a1111_has_them() -> None:
    recipe = replace(SIMPLE, clip_skip=2, guidance_scale=7.5, source=SOURCE, mask=MASK)
    assert write_infotext(recipe, LABELS).split("\n")[-1] == (
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 4000000000, "
        "Size: 256x320, Model hash: 0123456789, Model: starter, Denoising strength: 0.6, "
        "Clip skip: 2, RNG: CPU, Mask mode: Inpaint not masked, Mask blur: 8, "
        "Inpaint area: Only masked, Masked area padding: 16, Version: Gesso 0.1.0"
    )


def test_all_of_soft_inpainting_is_written() -> None:
    """A1111 leaves its control as it is when a key is missing: a default has to be said, too."""
    recipe = replace(SIMPLE, source=SOURCE, mask=replace(MASK, soft=SoftInpainting()))
    assert (
        "Soft inpainting enabled: True, Soft inpainting schedule bias: 1, "
        "Soft inpainting preservation strength: 0.5, Soft inpainting transition contrast boost: 4, "
        "Soft inpainting mask influence: 0, Soft inpainting difference threshold: 0.5, "
        "Soft inpainting difference contrast: 2, "
    ) in write_infotext(recipe, LABELS)


def test_empty_prompts_leave_no_empty_lines() -> None:
    text = write_infotext(replace(SIMPLE, prompt="", negative_prompt=""), LABELS)
    assert text.startswith("Steps: 20, ")


def test_unknown_hash_is_left_out() -> None:
    model = replace(SIMPLE.model, hash="")
    assert "Model hash" not in write_infotext(replace(SIMPLE, model=model), LABELS)


def test_sampler_without_a_label_names_itself() -> None:
    assert "Sampler: dpmpp_2m, Schedule type: karras" in write_infotext(SIMPLE, Labels())


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain name", "plain name"),
        ("a, b", '"a, b"'),
        ("a: b", '"a: b"'),
        ('say "a", then\nb', '"say \\"a\\", then\\nb"'),
        ('say "a"', 'say "a"'),
    ],
)
def test_only_values_with_comma_colon_or_newline_are_quoted(name: str, written: str) -> None:
    text = write_infotext(replace(SIMPLE, model=replace(SIMPLE.model, name=name)), LABELS)
    assert f", Model: {written}, RNG: " in text
    assert read_infotext(text).settings["Model"] == name


def test_prompts_over_several_lines() -> None:
    infotext = read_infotext(
        "first\n\nthird\nNegative prompt: bad\nworse\nSteps: 20, Sampler: Euler, Seed: 1"
    )
    assert infotext.prompt == "first\n\nthird"
    assert infotext.negative_prompt == "bad\nworse"
    assert infotext.settings == {"Steps": "20", "Sampler": "Euler", "Seed": "1"}


@pytest.mark.parametrize("last", ["Steps: 20, Sampler: Euler", "a: b", "no pair at all", ""])
def test_last_line_with_fewer_than_three_pairs_is_prompt(last: str) -> None:
    infotext = read_infotext(f"prompt\n{last}")
    assert infotext.prompt == f"prompt\n{last}".strip()
    assert infotext.settings == {}


def test_quoted_values_may_hold_commas_and_pairs() -> None:
    settings = read_infotext(
        'p\nSteps: 20, Lora hashes: "a: 0123, b: \\"4567\\"", Seed: 5, Script: x'
    ).settings
    assert settings["Lora hashes"] == 'a: 0123, b: "4567"'
    assert settings["Seed"] == "5"


def test_unclosed_quote_ends_at_the_comma() -> None:
    settings = read_infotext('p\nSteps: 20, Model: "half, Seed: 5, Size: 8x8').settings
    assert settings == {"Steps": "20", "Model": '"half', "Seed": "5", "Size": "8x8"}


@given(words, words)
def test_prompts_come_back(prompt: str, negative: str) -> None:
    """Lines lose the blanks around them, as in A1111; a line "Negative prompt:" splits."""

    def tidy(text: str) -> str:
        return "\n".join(line.strip() for line in text.strip().split("\n")).strip()

    text = write_infotext(replace(SIMPLE, prompt=prompt, negative_prompt=negative), LABELS)
    infotext = read_infotext(text)
    assert infotext.settings["Seed"] == "4000000000"
    if "Negative prompt:" not in prompt + negative:
        assert (infotext.prompt, infotext.negative_prompt) == (tidy(prompt), tidy(negative))


@given(words)
def test_any_model_name_comes_back(name: str) -> None:
    text = write_infotext(replace(SIMPLE, model=replace(SIMPLE.model, name=name)), LABELS)
    read = read_infotext(text).settings.get("Model", "")
    # A name that already looks quoted is A1111's own ambiguity.
    assert read.strip() == name.strip() or name.strip().startswith('"')


@given(st.text())
@example('Steps: 1, Sampler: ,,,:::, Seed: "\\')
def test_no_text_raises(text: str) -> None:
    read_infotext(text)


@pytest.mark.parametrize(
    "piece",
    ["a", "a:", 'a:"', 'a:"\\', 'a:"x"y', " ", "a ", ",", '"', "\\", 'a:\\",', ": ", "-/", "\n"],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    start = time.process_time()
    read_infotext("p\n" + piece * (256_000 // len(piece)))
    # Quadratic time would be minutes.
    assert time.process_time() - start < 2
