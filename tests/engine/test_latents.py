"""The VAE, where img2img begins, and previews."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.work import RECIPE, STARTER, pixels
from webui.engine.autoencoder import decode, encode
from webui.engine.passes.levels import Walk, pass_walk
from webui.engine.passes.plan import Pass
from webui.engine.pipeline import Pipeline
from webui.engine.pipeline_manager import PipelineManager
from webui.families import load_families
from webui.families.components import Placement
from webui.families.sd15 import FAMILY
from webui.samplers import load_samplers
from webui.schedules import load_schedules
from webui.schedules.noise_levels import NoiseLevels

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)


def img2img_walk(
    steps: int, strength: float, has_exact_steps: bool = False, sampler: str = "euler"
) -> Walk:
    this = Pass(
        recipe=replace(RECIPE, steps=steps),
        model=STARTER,
        denoising_strength=strength,
        has_exact_steps=has_exact_steps,
    )
    levels = NoiseLevels(
        (0.00085**0.5 + i / 999 * (0.012**0.5 - 0.00085**0.5)) ** 2 for i in range(1000)
    )
    return pass_walk(this, load_samplers()[sampler], load_schedules(), levels)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    placement = Placement(device=CPU, dtype=torch.bfloat16, is_channels_last=True)
    with torch.inference_mode():
        yield PipelineManager(load_families(), placement).get(STARTER)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Soft shapes in several colours on white."""
    y, x = np.mgrid[0:128, 0:192]
    values = np.full((128, 192, 3), 255.0)
    for cx, cy, colour in (
        (50, 60, (220, 40, 50)),
        (110, 50, (60, 160, 70)),
        (150, 90, (70, 90, 210)),
    ):
        inside = np.clip(30 - np.hypot(x - cx, y - cy), 0, 1)[..., None]
        values = values * (1 - inside) + np.array(colour) * inside
    return Image.fromarray(values.round().astype(np.uint8))


@pytest.mark.parametrize(
    ("strength", "calls"), [(0.0, 0), (0.01, 1), (0.5, 11), (0.75, 16), (0.999, 20), (1.0, 20)]
)
def test_img2img_denoises_as_often_as_a1111(strength: float, calls: int) -> None:
    walk = img2img_walk(steps=20, strength=strength)
    assert walk.steps == calls
    assert walk.sigmas == walk.whole[len(walk.whole) - len(walk.sigmas) :]


@pytest.mark.parametrize(
    ("sampler", "steps", "strength", "calls"),
    [
        ("ddim", 20, 0.5, 9),
        ("ddim", 20, 0.75, 14),
        ("ddim", 20, 1.0, 18),
        ("ddim_cfgpp", 30, 0.75, 21),
        ("plms", 20, 0.75, 14),
        ("unipc", 20, 0.75, 15),
        ("lcm", 20, 0.75, 16),
        ("lcm", 4, 1.0, 4),
    ],
)
def test_samplers_with_timesteps_of_their_own_walk_as_many_as_in_a1111(
    sampler: str, steps: int, strength: float, calls: int
) -> None:
    """DDIM and PLMS take the first int(strength * steps) timesteps, UniPC as many steps; LCM
    counts as the others do."""
    walk = img2img_walk(steps=steps, strength=strength, sampler=sampler)
    assert (walk.steps, walk.sigmas[-1]) == (calls, walk.whole[-1])


def test_one_step_is_one_step_at_any_strength() -> None:
    assert [img2img_walk(steps=1, strength=part).steps for part in (0.0, 0.1, 1.0)] == [0, 1, 1]


@pytest.mark.parametrize(("strength", "length"), [(0.75, 26), (0.5, 40), (1.0, 20), (0.3, 66)])
def test_exact_steps_are_the_last_of_a_longer_run(strength: float, length: int) -> None:
    walk = img2img_walk(steps=20, strength=strength, has_exact_steps=True)
    assert (walk.steps, len(walk.whole) - 1) == (20, length)


def test_exact_steps_at_strength_0_are_none() -> None:
    assert img2img_walk(steps=20, strength=0.0, has_exact_steps=True).steps == 0


def test_a_picture_survives_the_vae(pipeline: Pipeline, picture: Image.Image) -> None:
    vae = pipeline.components.vae
    again = decode(vae, encode(vae, picture)[0])
    assert (again.mode, again.size) == ("RGB", picture.size)
    assert np.abs(pixels(again) - pixels(picture)).mean() < 6


def test_encoding_draws_no_lots(pipeline: Pipeline, picture: Image.Image) -> None:
    vae = pipeline.components.vae
    assert torch.equal(encode(vae, picture), encode(vae, picture))


def test_an_overflow_in_half_precision_is_decoded_again_in_full() -> None:
    """A latent that float16 can't hold stands for VAEs that overflow inside."""
    half = FAMILY.load(STARTER.path, Placement(device=CPU, dtype=torch.float16)).vae
    latent = torch.full(SHAPE, 2e4)
    with torch.inference_mode():
        half.post_quant_conv.weight.mul_(2**-8)
        expected = decode(copy.deepcopy(half).to(torch.float32), latent)
        assert decode(half, latent).tobytes() == expected.tobytes()
    assert half.dtype == torch.float32


def test_a_preview_has_the_colours_of_the_picture(pipeline: Pipeline, picture: Image.Image) -> None:
    latent = encode(pipeline.components.vae, picture)[0]
    preview = Image.open(io.BytesIO(pipeline.previewer.jpeg(latent)))
    assert (preview.format, preview.size) == ("JPEG", (96, 64))
    small = picture.resize(preview.size, Image.Resampling.BOX)
    error = np.abs(pixels(preview) - pixels(small)).mean()
    grey = np.abs(128 - pixels(small)).mean()
    assert error < 25 < grey / 2


def test_white_looks_white_in_a_preview(pipeline: Pipeline) -> None:
    white = Image.new("RGB", (64, 64), "white")
    latent = encode(pipeline.components.vae, white)[0]
    preview = Image.open(io.BytesIO(pipeline.previewer.jpeg(latent)))
    assert pixels(preview).mean(axis=(0, 1)).min() > 230
