"""Pictures and latents of small random VAEs: by rows, with a shift, and beyond half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from webui.core.request import Tiling
from webui.engine.autoencoder import decode, decode_bytes, encode, note_of
from webui.engine.tiling import tiled
from webui.engine.vae_rows import decode_by_rows, encode_by_rows

pytestmark = pytest.mark.torch

GIBIBYTE = 2**30
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def make_vae(blocks: int = 4, **more: Any) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(32, 32, 64, 64)[:blocks],
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=more.pop("layers_per_block", 2),
        **more,
    ).eval()


def uneven_latent(channels: int = 4) -> Tensor:
    """Loud above and still below, so that norms of parts differ from those of the whole."""
    latent = torch.randn(channels, 22, 14, generator=torch.Generator().manual_seed(1))
    latent[:, :9] *= 4
    return latent


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("rows", [22, 9, 2, 1])
@pytest.mark.parametrize("blocks", [3, 4])
def test_a_decode_by_rows_is_the_whole_one(blocks: int, rows: int) -> None:
    vae, latent = make_vae(blocks), uneven_latent()[None]
    whole = vae.decode(latent, return_dict=False)[0]
    assert apart(decode_by_rows(vae, latent, rows, CPU), whole) < 1e-5


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("rows", [9, 1])
def test_an_encode_by_rows_is_the_whole_one(layers: int, rows: int) -> None:
    vae = make_vae(layers_per_block=layers)
    pixels = torch.rand(1, 3, 13 * 8, 9 * 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    pixels[..., :40, :] *= 0.1
    whole = vae.encode(pixels).latent_dist.parameters
    assert apart(encode_by_rows(vae, pixels, rows, CPU), whole) < 1e-5


def test_a_vae_without_quantising_layers_goes_by_rows() -> None:
    vae = make_vae(
        latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1
    )
    latent = uneven_latent(16)
    whole, strips = (np.asarray(decode(vae, latent, tile)) for tile in (None, 4))
    assert np.abs(whole.astype(int) - strips).max() <= 1
    assert whole.std() > 1


def test_a_shift_is_taken_off_and_put_back() -> None:
    plain, shifted = make_vae(scaling_factor=0.5), make_vae(scaling_factor=0.5, shift_factor=0.25)
    picture = Image.effect_noise((64, 64), 80).convert("RGB")
    latent = encode(plain, picture)
    moved = encode(shifted, picture)
    assert torch.allclose(moved, latent - 0.25 * 0.5, atol=1e-6)
    pixels = [
        np.asarray(decode(*each)).astype(int) for each in ((plain, latent[0]), (shifted, moved[0]))
    ]
    assert np.abs(pixels[0] - pixels[1]).max() <= 1


def test_a_seamless_picture_is_decoded_at_once() -> None:
    vae, latent = make_vae(), uneven_latent()
    with tiled(torch.nn.Identity(), vae, Tiling.BOTH):
        whole, strips = (decode(vae, latent, tile) for tile in (None, 4))
    assert whole.tobytes() == strips.tobytes()
    assert whole.tobytes() != decode(vae, latent, None).tobytes()


@pytest.mark.parametrize("tile", [None, 4])
def test_a_vae_beyond_half_precision_goes_on_in_full(tile: int | None) -> None:
    exact, vae = make_vae(), make_vae()
    for each in (exact, vae):
        each.decoder.conv_in.weight.mul_(60000)
    vae.half()
    latent = uneven_latent()
    assert note_of(vae, torch.float16) == ""
    picture = np.asarray(decode(vae, latent, tile)).astype(int)
    assert np.abs(picture - np.asarray(decode(exact, latent))).mean() < 1
    assert note_of(vae, torch.float16) == ("float32, because its numbers are too large for float16")


def test_a_source_beyond_half_precision_is_encoded_in_full() -> None:
    vae = make_vae()
    vae.encoder.conv_in.weight.mul_(200000)
    vae.half()
    latent = encode(vae, Image.effect_noise((64, 64), 80).convert("RGB"))
    assert bool(torch.isfinite(latent).all())
    assert vae.dtype == torch.float32


def test_the_memory_of_a_decode_is_what_was_measured() -> None:
    assert decode_bytes(1024, 1024, value_bytes=2) == pytest.approx(1.8 * GIBIBYTE, rel=0.1)
    small = decode_bytes(1024, 1024, value_bytes=2, tile=32, is_kept_here=False)
    kept = decode_bytes(1024, 1024, value_bytes=2, tile=32)
    assert small < 0.6 * GIBIBYTE < kept < 1.6 * GIBIBYTE
    assert decode_bytes(512, 512, value_bytes=4, tile=64) == decode_bytes(512, 512, value_bytes=4)
