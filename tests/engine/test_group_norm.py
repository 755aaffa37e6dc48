"""Group norms in another way than PyTorch's: the same answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm

from webui.engine.group_norm import SMALLEST, widen_norms

pytestmark = pytest.mark.torch

SIDE = 160
"""Of pictures with groups large enough."""


def norm(channels: int = 16, groups: int = 4, dtype: torch.dtype = torch.float32) -> nn.GroupNorm:
    draw = torch.Generator().manual_seed(5)
    made = nn.Sequential(nn.GroupNorm(groups, channels, eps=1e-6))
    for weight in made.parameters():
        weight.data = torch.randn(channels, generator=draw)
    widen_norms(made)
    layer = made.to(dtype)[0]
    assert isinstance(layer, nn.GroupNorm)
    assert type(layer) is not nn.GroupNorm
    return layer.requires_grad_(False)


def values(*shape: int, mean: float = 0.0, spread: float = 1.0) -> Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(7))
    return drawn * spread * torch.linspace(0.5, 2, shape[1])[:, None, None] + mean


def exact(layer: nn.GroupNorm, input: Tensor) -> Tensor:
    weight, bias = layer.weight.double(), layer.bias.double()
    return group_norm(input.double(), layer.num_groups, weight, bias, layer.eps)


def error(said: Tensor, wanted: Tensor) -> float:
    return float((said.double() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("dtype", "most"), [(torch.float32, 2e-6), (torch.float16, 1e-3), (torch.bfloat16, 8e-3)]
)
def test_it_is_the_norm_to_the_roundings_of_its_precision(
    rows: int, form: torch.memory_format, dtype: torch.dtype, most: float
) -> None:
    layer = norm(dtype=dtype)
    input = values(rows, 16, SIDE, SIDE, mean=0.3).to(dtype).contiguous(memory_format=form)
    assert input[0].numel() // layer.num_groups >= SMALLEST
    said = layer(input)
    assert said.dtype == dtype
    assert said.is_contiguous(memory_format=form)
    assert error(said, exact(layer, input)) < most


def test_numbers_whose_squares_half_precision_can_not_hold() -> None:
    layer = norm(dtype=torch.float16)
    input = values(1, 16, SIDE, SIDE, spread=2000.0).half()
    assert error(layer(input), exact(layer, input)) < 1e-3


def test_a_mean_far_from_nothing() -> None:
    layer = norm()
    input = values(1, 16, SIDE, SIDE, mean=30.0)
    assert error(layer(input), exact(layer, input)) < 1e-4


@pytest.mark.parametrize("shape", [(2, 16, 8, 8), (2, 16, 40_000), (1, 16, 3, SIDE, SIDE)])
def test_other_shapes_go_the_librarys_way(shape: tuple[int, ...]) -> None:
    layer = norm()
    input = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    plain = group_norm(input, layer.num_groups, layer.weight, layer.bias, layer.eps)
    assert torch.equal(layer(input), plain)
