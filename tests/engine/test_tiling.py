"""Seamless pictures of the starter model: seen at their edges, and by rolling them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tests.engine.denoisers import asked, read
from tests.engine.work import STARTER
from webui.core.request import Guidance, Tiling
from webui.engine.denoise import Denoiser
from webui.engine.tiling import tiled
from webui.families.components import Components, Placement
from webui.families.sd15 import FAMILY
from webui.schedules.noise_levels import NoiseLevels

pytestmark = pytest.mark.torch

STEPS = 6
PIXELS = 8
"""To a cell of the latent."""
LEFT_RIGHT, TOP_BOTTOM = 2, 1
"""The axes of a picture along which these edges meet."""


@pytest.fixture(scope="module")
def starter() -> Components:
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    return FAMILY.load(STARTER.path, placement)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def start(rows: int = 0, columns: int = 0) -> Tensor:
    """Noise for a picture of 128 x 128, rolled by cells."""
    noise = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(1))
    return noise.roll((rows, columns), (2, 3))


def draw(starter: Components, mode: Tiling, noise: Tensor | None = None) -> Tensor:
    """A forest, (3, 128, 128), about -1..1: its sky and its ground differ, so do its sides."""
    levels = NoiseLevels(starter.betas)
    plan = read(starter, "forest")
    steps = [levels.sigma(999 * (1 - i / (STEPS - 1))) for i in range(STEPS)] + [0.0]
    x = (start() if noise is None else noise) * steps[0]
    with tiled(starter.diffusion_model, starter.vae, mode):
        model = asked(starter, levels)
        denoise = Denoiser(model, plan, Guidance(), 4.0, calls_total=STEPS, is_exact=False)
        for sigma, following in pairwise(steps):
            clean = denoise(x, sigma)
            x = clean + (x - clean) * (following / sigma)
        picture: Tensor = starter.vae.decode(x / starter.vae.config.scaling_factor).sample[0]
    return picture


def jumps(picture: Tensor, axis: int) -> tuple[float, float]:
    """How far neighbouring lines differ: the last and the first, and at most inside."""
    change = (picture - picture.roll(1, axis)).abs().mean(dim=(0, 3 - axis))
    return float(change[0]), float(change[1:].max())


@pytest.mark.parametrize(
    ("mode", "seamless"),
    [
        (Tiling.BOTH, (LEFT_RIGHT, TOP_BOTTOM)),
        (Tiling.HORIZONTAL, (LEFT_RIGHT,)),
        (Tiling.VERTICAL, (TOP_BOTTOM,)),
    ],
)
def test_edges_continue_where_they_are_meant_to(
    starter: Components, mode: Tiling, seamless: tuple[int, ...]
) -> None:
    """A seam would be a jump larger than any inside the picture."""
    picture = draw(starter, mode)
    for axis in seamless:
        seam, inside = jumps(picture, axis)
        assert seam <= inside


def test_without_tiling_this_picture_has_seams(starter: Components) -> None:
    """Else the test above would show nothing."""
    picture = draw(starter, Tiling.NONE)
    for axis in (LEFT_RIGHT, TOP_BOTTOM):
        seam, inside = jumps(picture, axis)
        assert seam > 2 * inside


@pytest.mark.parametrize(
    ("mode", "rows", "columns"),
    [(Tiling.BOTH, 4, 8), (Tiling.HORIZONTAL, 0, 4), (Tiling.VERTICAL, 4, 0)],
)
def test_rolled_noise_gives_the_picture_rolled(
    starter: Components, mode: Tiling, rows: int, columns: int
) -> None:
    """There is no edge left that the network could know. By 4 cells: the network halves the
    latent twice."""
    expected = draw(starter, mode).roll((rows * PIXELS, columns * PIXELS), (1, 2))
    rolled = draw(starter, mode, start(rows, columns))
    torch.testing.assert_close(rolled, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("mode", [Tiling.NONE, Tiling.VERTICAL])
def test_along_an_axis_with_edges_it_does_not(starter: Components, mode: Tiling) -> None:
    rolled = draw(starter, mode, start(columns=4))
    expected = draw(starter, mode).roll(4 * PIXELS, 2)
    assert float((rolled - expected).abs().max()) > 0.3


@pytest.mark.parametrize(
    ("mode", "rows", "columns"),
    [(Tiling.BOTH, 3, 1), (Tiling.HORIZONTAL, 0, 1), (Tiling.VERTICAL, 5, 0)],
)
def test_a_source_is_encoded_without_edges_too(
    starter: Components, mode: Tiling, rows: int, columns: int
) -> None:
    picture = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 2 - 1
    pixels = picture.roll((rows * PIXELS, columns * PIXELS), (2, 3))
    with tiled(starter.diffusion_model, starter.vae, mode):
        latent, rolled = (starter.vae.encode(each).latent_dist.mean for each in (picture, pixels))
    torch.testing.assert_close(rolled, latent.roll((rows, columns), (2, 3)), atol=1e-4, rtol=1e-4)


def is_as_made(starter: Components) -> bool:
    """No function in place of a module's own."""
    return not any(
        callable(value) and not isinstance(value, nn.Module)
        for network in (starter.diffusion_model, starter.vae)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
        for value in vars(module).values()
    )


def test_afterwards_pictures_have_edges_again(starter: Components) -> None:
    before = draw(starter, Tiling.NONE)
    draw(starter, Tiling.BOTH)
    assert is_as_made(starter)
    assert torch.equal(draw(starter, Tiling.NONE), before)


def test_an_error_leaves_the_networks_as_they_were(starter: Components) -> None:
    with pytest.raises(RuntimeError), tiled(starter.diffusion_model, starter.vae, Tiling.BOTH):
        starter.diffusion_model.conv_in(torch.zeros(1, 3, 8, 8))
    assert is_as_made(starter)


def test_so_does_a_run_that_is_cancelled(starter: Components) -> None:
    def run() -> Generator[int, None, None]:
        with tiled(starter.diffusion_model, starter.vae, Tiling.HORIZONTAL):
            yield 1

    running = run()
    next(running)
    assert not is_as_made(starter)
    running.close()
    assert is_as_made(starter)


def test_one_inside_another_counts_and_then_the_other_again(starter: Components) -> None:
    def layer() -> Tensor:
        return starter.diffusion_model.conv_in(start())

    def alone(mode: Tiling) -> Tensor:
        with tiled(starter.diffusion_model, starter.vae, mode):
            return layer()

    with tiled(starter.diffusion_model, starter.vae, Tiling.VERTICAL):
        within = alone(Tiling.HORIZONTAL)
        after = layer()
    assert torch.equal(within, alone(Tiling.HORIZONTAL))
    assert torch.equal(after, alone(Tiling.VERTICAL))
    assert not torch.equal(after, within)
