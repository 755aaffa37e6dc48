"""From an infotext back to a request: ours without loss, others as far as they fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.imaging.strategies import parts, recipe_of
from webui.core.model import ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import GenerationRequest, InputId, Mask, MaskArea, Sampling, Source
from webui.imaging.infotext import Labels, write_infotext
from webui.imaging.restore import Lookups, Restored, request_from_infotext

SAMPLERS: dict[str, tuple[str, str | None]] = {
    "DDIM": ("ddim", None),
    "Euler a": ("euler_a", None),
    "DPM++ 2M": ("dpmpp_2m", None),
    "DPM++ 2M Karras": ("dpmpp_2m", "karras"),
}
CHECKPOINTS = {
    "0123456789": "sd/model.safetensors",
    "model": "sd/model.safetensors",
    "ffffffffff": "other.safetensors",
}
LOOKUPS = Lookups(
    sampler=SAMPLERS.get,
    schedule={"Karras": "karras", "Automatic": "automatic"}.get,
    checkpoint=CHECKPOINTS.get,
    upscaler={"Latent": "latent", "Lanczos": "lanczos"}.get,
    file=lambda kind, name: {(ModelKind.VAE, "a"): "vae/a.safetensors"}.get((kind, name)),
)
LABELS = Labels(
    samplers={"dpmpp_2m": "DPM++ 2M", "euler_a": "Euler a", "ddim": "DDIM"},
    schedules={"karras": "Karras", "automatic": "Automatic"},
    upscalers={"latent": "Latent", "lanczos": "Lanczos"},
)


def restore(line: str) -> Restored:
    return request_from_infotext(f"a cat\nNegative prompt: a dog\n{line}", LOOKUPS)


def test_a_text_of_a1111_becomes_a_request() -> None:
    restored = restore(
        "Steps: 25, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7.5, Seed: 42, "
        "Size: 512x768, Model hash: 0123456789, Model: whatever, Clip skip: 2, RNG: CPU, "
        "Version: v1.10.1"
    )
    assert restored == Restored(
        request=GenerationRequest(
            prompt="a cat",
            negative_prompt="a dog",
            checkpoint="sd/model.safetensors",
            width=512,
            height=768,
            seed=42,
            sampling=Sampling(
                sampler="euler_a",
                schedule="automatic",
                steps=25,
                guidance_scale=7.5,
                clip_skip=2,
            ),
        )
    )


def test_our_own_text_gives_the_recipes_request() -> None:
    recipe = Recipe(
        prompt="x: 1, y",
        negative_prompt="",
        model=ModelRef(id="sd/model.safetensors", name="model", family="sd15", hash="0123456789"),
        width=64,
        height=128,
        seed=0,
        sampler="dpmpp_2m",
        schedule="karras",
        steps=1,
        guidance_scale=1.0,
        clip_skip=1,
        source=Source(image=InputId("a" * 64), denoising_strength=0.0),
        mask=Mask(image=InputId("b" * 64), blur=0, area=MaskArea.MASKED, padding=0, inverted=True),
        version="0.1.0",
    )
    restored = request_from_infotext(write_infotext(recipe, LABELS), LOOKUPS)
    assert restored.request == replace(recipe.request(), source=None, mask=None)
    assert restored.source == {"denoising_strength": 0.0}
    assert restored.mask == {
        "blur": 0,
        "area": MaskArea.MASKED,
        "padding": 0,
        "inverted": True,
    }
    assert restored.ignored == {}


@settings(max_examples=60)
@given(parts(GenerationRequest))
def test_every_field_of_every_request_survives_the_text(request: GenerationRequest) -> None:
    recipe = recipe_of(request)
    restored = request_from_infotext(write_infotext(recipe, LABELS), LOOKUPS)
    wanted = recipe.request()
    assert restored.ignored == {}
    if wanted.extras is not None:
        assert restored.extras == _given(wanted.extras, restored.extras)
        return
    assert restored.request == replace(wanted, source=None, mask=None)
    for part, found in ((wanted.source, restored.source), (wanted.mask, restored.mask)):
        assert found == ({} if part is None else _given(part, found))


def _given(part: object, keys: Mapping[str, object] | None = None) -> dict[str, object]:
    """The fields of a part but for its picture: those that differ from their defaults, and
    `keys`."""
    return {
        field.name: getattr(part, field.name)
        for field in dataclasses.fields(part)  # type: ignore[arg-type]
        if field.name != "image"
        and (getattr(part, field.name) != field.default or field.name in (keys or ()))
    }


def test_old_combined_name_carries_its_schedule() -> None:
    sampling = restore("Steps: 20, Sampler: DPM++ 2M Karras, Seed: 1").request.sampling
    assert (sampling.sampler, sampling.schedule) == ("dpmpp_2m", "karras")


def test_schedule_type_wins_over_the_old_name() -> None:
    text = "Steps: 20, Sampler: DPM++ 2M Karras, Schedule type: Automatic, Seed: 1"
    assert restore(text).request.sampling.schedule == "automatic"


def test_blanks_mean_a1111s_defaults() -> None:
    sampling = restore("Steps: 20, Sampler: Euler a, Seed: 1").request.sampling
    assert (sampling.schedule, sampling.clip_skip) == ("automatic", 1)


def test_model_is_found_by_name_when_its_hash_is_unknown() -> None:
    request = restore("Steps: 20, Seed: 1, Model hash: eeeeeeeeee, Model: model").request
    assert request.checkpoint == "sd/model.safetensors"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Steps", "100000"),
        ("Steps", "many"),
        ("CFG scale", "nan"),
        ("CFG scale", "1e999"),
        ("Seed", "-1"),
        ("Seed", "4294967296"),
        ("Size", "513x512"),
        ("Size", "512"),
        ("Size", "512x512x512"),
        ("Sampler", "Restart"),
        ("Schedule type", "Exponential"),
        ("Denoising strength", "1.5"),
        ("Mask mode", "Upside down"),
        ("Model", "unknown"),
        ("Hires upscale", "20"),
        ("Hires upscaler", "Unknown"),
        ("Refiner", "unknown"),
        ("Emphasis", "Loud"),
        ("RNG", "TPU"),
        ("Clip skip", ""),
    ],
)
def test_what_does_not_fit_is_reported_as_it_was_written(key: str, value: str) -> None:
    others = [p for p in ("Steps: 20", "CFG scale: 7", "Seed: 1", "RNG: CPU") if key not in p]
    restored = restore(", ".join([*others, f"{key}: {value}"]))
    assert restored.ignored == {key: value}


def test_a_size_is_taken_whole_or_not_at_all() -> None:
    request = restore("Steps: 20, Seed: 1, Size: 512x100000").request
    assert (request.width, request.height) == (None, None)


def test_a_prompt_beyond_the_limit_is_reported() -> None:
    restored = request_from_infotext("x" * 20_001, LOOKUPS)
    assert restored.request.prompt == ""
    assert restored.ignored == {"Prompt": "x" * 20_001}


keys = st.sampled_from(
    [
        "Steps",
        "Sampler",
        "Schedule type",
        "CFG scale",
        "Seed",
        "Size",
        "Model hash",
        "Model",
        "Denoising strength",
        "Clip skip",
        "RNG",
        "Mask mode",
        "Inpaint area",
        "Version",
        "x y",
    ]
)


@given(st.lists(st.tuples(keys, st.text(max_size=30)), min_size=3), st.text())
def test_no_text_raises(pairs: list[tuple[str, str]], prompt: str) -> None:
    line = ", ".join(f"{key}: {value}" for key, value in pairs)
    request_from_infotext(f"{prompt}\n{line}", LOOKUPS)


@pytest.mark.parametrize(
    ("text", "expected"), [("512x0", (512, None)), ("0x768", (None, 768)), ("512x768", (512, 768))]
)
def test_a_side_of_0_in_hires_resize_follows_the_other(
    text: str, expected: tuple[int | None, int | None]
) -> None:
    restored = restore(f"Steps: 20, Seed: 1, Hires resize: {text}, Hires upscaler: Latent")
    assert restored.request.hires is not None
    assert (restored.request.hires.width, restored.request.hires.height) == expected
    assert not restored.ignored
