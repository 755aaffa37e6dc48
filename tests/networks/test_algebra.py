"""What each type of network does to a weight is what its paper says, to 1e-6."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from tests.networks import formulas, layouts
from tests.networks.conftest import use
from webui.networks.network import make_network

if TYPE_CHECKING:
    from webui.engine.patcher import Patcher
    from webui.families.components import Components

pytestmark = pytest.mark.torch

LINEAR: Final = "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj"
SQUARE: Final = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
KERNEL: Final = "down_blocks.1.resnets.0.conv1"
POINTWISE: Final = "mid_block.attentions.0.proj_in"
NORM: Final = "mid_block.resnets.0.norm1"
WORDS: Final = "encoder.layers.1.mlp.fc1"
CASES: Final = (
    *(("unet", name, make) for name in (LINEAR, SQUARE) for make in layouts.LINEAR),
    *(("unet", KERNEL, make) for make in layouts.CONVOLUTION),
    *(("unet", POINTWISE, make) for make in (layouts.lora, layouts.loha, layouts.lokr)),
    ("unet", NORM, layouts.norm),
    *(("text_encoder", WORDS, make) for make in layouts.LINEAR),
)
WEIGHT: Final = -0.7
TOLERANCE: Final = 1e-6


@pytest.mark.parametrize(("part", "module", "make"), CASES)
def test_a_network_changes_a_weight_as_its_formula_says(
    patcher: Patcher,
    loaded: Components,
    tmp_path: Path,
    part: str,
    module: str,
    make: layouts.Make,
) -> None:
    layer = loaded.part(part).get_submodule(module)
    weight, bias = layer.weight.numpy().copy(), layer.bias.numpy().copy()
    parts = make(layer.weight.shape)
    patcher.apply([use(
        layouts.written(tmp_path / "a.safetensors", {(part, module): parts}),
        text_weight=WEIGHT, unet_weight=WEIGHT,
    )])  # fmt: skip
    exact = {name: tensor.double().numpy() for name, tensor in parts.items()}
    expected = weight + WEIGHT * formulas.change(exact, weight)
    assert np.abs(layer.weight.numpy() - expected).max() < TOLERANCE
    added = exact.get("diff_b", exact.get("b_norm", np.zeros(1)))
    assert np.abs(layer.bias.numpy() - (bias + WEIGHT * added)).max() < TOLERANCE
    assert np.abs(expected - weight).max() > 100 * TOLERANCE


def test_the_middle_of_a_locon_is_a_convolution_between_two() -> None:
    """Run as three layers one after the other, it gives what its one change gives."""
    torch.manual_seed(2)
    parts = {name: part.double() for name, part in layouts.locon_cp((8, 12, 3, 3)).items()}
    network = make_network("a", {f"lora_unet_x.{name}": part for name, part in parts.items()})
    (layer,) = network.layers.values()
    assert layer.format is not None
    change = layer.format.change(layer.parts, torch.zeros(8, 12, 3, 3, dtype=torch.float64))
    picture = torch.randn(1, 12, 9, 9, dtype=torch.float64)
    inner = conv2d(conv2d(picture, parts["lora_down.weight"]), parts["lora_mid.weight"], padding=1)
    outer = conv2d(inner, parts["lora_up.weight"]) * layouts.ALPHA / layouts.RANK
    assert torch.allclose(conv2d(picture, change, padding=1), outer, atol=1e-12)


def test_several_networks_add_up_in_any_order(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    layer = loaded.diffusion_model.get_submodule(LINEAR)
    weight = layer.weight.numpy().copy()
    uses, expected = [], weight
    for make, share in ((layouts.lora, 0.5), (layouts.dora_rows, 1.0), (layouts.glora, -2.0)):
        parts = make(weight.shape)
        path = layouts.written(tmp_path / f"{make.__name__}.safetensors", {("unet", LINEAR): parts})
        uses.append(use(path, unet_weight=share))
        exact = {name: tensor.double().numpy() for name, tensor in parts.items()}
        expected = expected + share * formulas.change(exact, weight)
    for order in (uses, uses[::-1]):
        patcher.apply(order)
        assert np.abs(layer.weight.numpy() - expected).max() < TOLERANCE


def test_without_an_alpha_the_change_is_not_scaled(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    layer = loaded.diffusion_model.get_submodule(LINEAR)
    weight, parts = layer.weight.numpy().copy(), layouts.lora(layer.weight.shape)
    del parts["alpha"]
    patcher.apply([use(layouts.written(tmp_path / "a.safetensors", {("unet", LINEAR): parts}))])
    product = parts["lora_up.weight"].double() @ parts["lora_down.weight"].double()
    assert np.abs(layer.weight.numpy() - weight - product.numpy()).max() < TOLERANCE


def test_a_rank_uses_the_first_rows_and_keeps_the_scale(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    layer = loaded.diffusion_model.get_submodule(LINEAR)
    weight, parts = layer.weight.numpy().copy(), layouts.lora(layer.weight.shape)
    path = layouts.written(tmp_path / "a.safetensors", {("unet", LINEAR): parts})
    patcher.apply([use(path, rank=2)])
    up, down = parts["lora_up.weight"].double(), parts["lora_down.weight"].double()
    expected = layouts.ALPHA / layouts.RANK * (up[:, :2] @ down[:2]).numpy()
    assert np.abs(layer.weight.numpy() - weight - expected).max() < TOLERANCE
