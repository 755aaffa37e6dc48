"""Gated layers in halves: the library's answers."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.activations import GEGLU
from torch import Tensor, nn

from webui.engine.gated_layers import halve_gates

pytestmark = pytest.mark.torch


@pytest.fixture(params=[True, False], ids=["bias", "no bias"])
def gated(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(GEGLU(24, 40, bias=request.param)).requires_grad_(False)


@pytest.fixture
def given() -> Tensor:
    return torch.randn(2, 7, 24, generator=torch.Generator().manual_seed(4))


def test_halves_give_the_whole(gated: nn.Module, given: Tensor) -> None:
    wanted, keys = gated(given), list(gated.state_dict())
    halve_gates(gated)
    assert type(gated[0]) is not GEGLU
    assert torch.allclose(gated(given), wanted, atol=1e-6)
    assert list(gated.state_dict()) == keys


def test_weights_changed_in_place_count(gated: nn.Module, given: Tensor) -> None:
    halve_gates(gated)
    before = gated(given)
    gated[0].proj.weight.mul_(1.5)
    plain = GEGLU(24, 40, bias=gated[0].proj.bias is not None)
    plain.load_state_dict(gated[0].state_dict())
    assert not torch.allclose(gated(given), before)
    assert torch.allclose(gated(given), plain(given), atol=1e-6)


def test_hooks_of_the_inner_layer_run(gated: nn.Module, given: Tensor) -> None:
    """Streamed weights come by them."""
    halve_gates(gated)
    seen: list[tuple[int, ...]] = []
    gated[0].proj.register_forward_pre_hook(lambda layer, args: seen.append(args[0].shape))
    gated(given)
    assert seen == [(2, 7, 24)]


def test_a_layer_with_code_of_its_own_keeps_it(gated: nn.Module, given: Tensor) -> None:
    wanted = gated(given)
    inner = gated[0].proj
    inner.forward = lambda x: nn.functional.linear(x, inner.weight, inner.bias)
    halve_gates(gated)
    assert torch.equal(gated(given), wanted)


def test_layers_of_other_kinds_are_left_alone() -> None:
    class Packed(nn.Linear):
        pass

    gated = nn.Sequential(GEGLU(24, 40))
    gated[0].proj = Packed(24, 80)
    halve_gates(gated)
    assert type(gated[0]) is GEGLU
    assert type(gated[0].proj) is Packed
