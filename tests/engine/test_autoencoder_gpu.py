"""The VAE on a GPU: strips give the whole decode, and take less memory.

Run by hand on a machine that has a GPU: pytest -m gpu tests/engine/test_autoencoder_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from webui.engine.autoencoder import decode_bytes
from webui.engine.group_norm import widen_norms
from webui.engine.vae_rows import decode_by_rows

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
CELLS = 96
"""768 pixels."""


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def vae() -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(0)
    made = (
        AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        .to(GPU, torch.float16)
        .eval()
    )
    widen_norms(made)
    return made


@pytest.fixture
def latent() -> Tensor:
    draw = torch.Generator(GPU).manual_seed(1)
    made = torch.randn(1, 4, CELLS, CELLS, generator=draw, device=GPU)
    made[:, :, : CELLS // 3] *= 4
    return made.half()


def peak_of(vae: Any, latent: Tensor, rows: int | None, store: torch.device) -> tuple[Tensor, int]:
    """The pixels, and the bytes that were taken for them."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    if rows is None:
        pixels = vae.decode(latent, return_dict=False)[0]
    else:
        pixels = decode_by_rows(vae, latent, rows, store)
    torch.cuda.synchronize()
    return pixels.float().to(GPU), torch.cuda.max_memory_allocated() - before


@pytest.mark.parametrize("store", [GPU, CPU], ids=["kept on the GPU", "kept in RAM"])
@pytest.mark.parametrize("rows", [24, 5])
def test_strips_give_the_whole_decode(
    vae: Any, latent: Tensor, rows: int, store: torch.device
) -> None:
    whole, most = peak_of(vae, latent, None, GPU)
    strips, less = peak_of(vae, latent, rows, store)
    assert float((strips - whole).norm() / whole.norm()) < 1e-2
    assert less < most


def test_a_whole_decode_takes_no_more_than_was_told(vae: Any, latent: Tensor) -> None:
    _, taken = peak_of(vae, latent, None, GPU)
    told = decode_bytes(8 * CELLS, 8 * CELLS, value_bytes=2)
    assert 0.4 * told < taken <= told
