"""Noise, the VAE, where img2img begins, and previews."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.work import STARTER, pixels
from webui.engine.autoencoder import decode, encode
from webui.engine.batch import last_sigmas
from webui.engine.noise import PictureNoise
from webui.engine.pipeline_manager import Pipeline, PipelineManager
from webui.families import load_families
from webui.families.components import Placement
from webui.families.sd15 import FAMILY

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)
SIGMAS = tuple(float(level) for level in range(20, -1, -1))


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


def test_noise_depends_on_the_seed_alone() -> None:
    batch = PictureNoise([5, 6, 7], SHAPE, CPU)
    alone = PictureNoise([6], SHAPE, CPU)
    for _ in range(3):
        assert torch.equal(batch()[1], alone()[0])


def test_noise_is_pytorchs_for_the_seed() -> None:
    expected = torch.randn(SHAPE, generator=torch.Generator().manual_seed(42))
    assert torch.equal(PictureNoise([42], SHAPE, CPU)()[0], expected)


def test_seeds_reach_to_the_largest() -> None:
    assert PictureNoise([2**32 - 1], SHAPE, CPU)().shape == (1, *SHAPE)


@pytest.mark.parametrize(
    ("strength", "calls"), [(0.0, 0), (0.01, 1), (0.5, 11), (0.75, 16), (0.999, 20), (1.0, 20)]
)
def test_img2img_denoises_as_often_as_a1111(strength: float, calls: int) -> None:
    left = last_sigmas(SIGMAS, strength)
    assert len(left) - 1 == calls
    assert left == SIGMAS[len(SIGMAS) - len(left) :]


def test_one_step_is_one_step_at_any_strength() -> None:
    assert [len(last_sigmas((1.0, 0.0), strength)) for strength in (0.0, 0.1, 1.0)] == [1, 2, 2]


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
    assert half.dtype == torch.float16


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
