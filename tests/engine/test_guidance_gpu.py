"""Guidance and tiling on a GPU, in half precision.

Run by hand on a machine that has one: pytest -m gpu tests/engine/test_guidance_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.engine.denoisers import asked, read
from tests.engine.work import STARTER
from webui.core.request import FreeU, Guidance, Tiling
from webui.engine.denoise import Denoiser
from webui.engine.tiling import tiled
from webui.families.components import Components, Placement
from webui.families.sd15 import FAMILY
from webui.schedules.noise_levels import NoiseLevels

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

EVERYTHING = Guidance(
    rescale=0.5,
    skip_below=1.0,
    perturbed_attention=2.0,
    self_attention=0.75,
    mimic_scale=3.0,
    mimic_percentile=0.99,
    freeu=FreeU(b1=1.05, b2=1.1, s1=0.9, s2=0.8),
)


@pytest.fixture(scope="module")
def starter() -> Components:
    placement = Placement(device=torch.device("cuda"), dtype=torch.float16, is_channels_last=True)
    return FAMILY.load(STARTER.path, placement)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def walk(starter: Components, x: Tensor, guidance: Guidance, *, is_exact: bool) -> Tensor:
    """Ten Euler steps of a red apple."""
    levels = NoiseLevels(starter.betas)
    plan = read(starter, "a red apple")
    sigmas = [levels.sigma(999 * (1 - i / 9)) for i in range(10)] + [0.0]
    model = asked(starter, levels)
    denoise = Denoiser(model, plan, guidance, 4.0, calls_total=10, is_exact=is_exact)
    x = x * sigmas[0]
    for sigma, following in pairwise(sigmas):
        clean = denoise(x, sigma)
        x = clean + (x - clean) * (following / sigma)
    return x


def start(count: int) -> Tensor:
    return torch.randn((count, 4, 32, 32), generator=torch.Generator().manual_seed(1)).cuda()


@pytest.mark.parametrize("guidance", [Guidance(), EVERYTHING], ids=["plain", "everything"])
def test_in_exact_mode_a_picture_does_not_depend_on_its_batch(
    starter: Components, guidance: Guidance
) -> None:
    together = walk(starter, start(4), guidance, is_exact=True)
    alone = [walk(starter, x[None], guidance, is_exact=True)[0] for x in start(4)]
    assert torch.equal(together, torch.stack(alone))


def test_all_of_it_gives_numbers(starter: Components) -> None:
    found = walk(starter, start(2), EVERYTHING, is_exact=False)
    assert torch.isfinite(found).all()
    assert 0.2 < float(found.std()) < 3


@pytest.mark.parametrize("mode", [Tiling.BOTH, Tiling.HORIZONTAL])
def test_rolled_noise_gives_the_latent_rolled(starter: Components, mode: Tiling) -> None:
    """Half precision moves by some hundredths what has a spread of about 1."""
    with tiled(starter.diffusion_model, starter.vae, mode):
        latent = walk(starter, start(1), Guidance(), is_exact=False)
        rolled = walk(starter, start(1).roll(8, 3), Guidance(), is_exact=False)
    difference = (rolled - latent.roll(8, 3)).abs()
    assert float(difference.mean()) < 0.02
