"""Networks on layers that keep their weight in fewer bits: as on the true values, and off again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.families import quantised_files as made
from tests.networks import layouts
from tests.networks.conftest import use
from webui.core.errors import ModelUnreadable
from webui.engine.patcher import Patcher
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.families.components import Components, Placement
from webui.families.quantised.layers import is_quantised, values
from webui.families.sd15 import StableDiffusion15
from webui.prompting.networks import WeightPoint

pytestmark = pytest.mark.torch

PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)
SQUARE: Final = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
KERNEL: Final = "down_blocks.1.resnets.0.conv1"
WORDS: Final = "encoder.layers.1.mlp.fc1"
CASES: Final = (
    *(("unet", SQUARE, make) for make in layouts.LINEAR),
    *(("unet", KERNEL, make) for make in layouts.CONVOLUTION),
    ("text_encoder", WORDS, layouts.lora),
    ("text_encoder", WORDS, layouts.dora_rows),
)
WEIGHT: Final = -0.7


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Components, Components]:
    """The tiny model in fp8 with scales, and the same with the true values."""
    folder = tmp_path_factory.mktemp("tiny")
    description = write_description(folder / "description")
    scaled = made.as_scaled_fp8(tiny_tensors(description), "")
    true = {
        key: value.float() * scaled.get(f"{key.removesuffix('weight')}scale_weight", 1)
        for key, value in scaled.items()
        if "scale" not in key
    }
    loaded = []
    for name, tensors in (("scaled", scaled), ("true", true)):
        save_file(tensors, folder / f"{name}.safetensors")
        family = StableDiffusion15(description)
        loaded.append(family.load(folder / f"{name}.safetensors", PLACEMENT))
    return loaded[0], loaded[1]


@pytest.fixture
def packed(models: tuple[Components, Components]) -> Iterator[tuple[Components, Patcher]]:
    """The packed model and its networks, which are taken off at the end."""
    torch.manual_seed(2)
    patcher = Patcher(models[0])
    yield models[0], patcher
    patcher.release()


def layer_of(model: Components, part: str, name: str) -> nn.Module:
    found: nn.Module = model.part(part).get_submodule(name)
    return found


def answer(model: Components) -> Tensor:
    """What the UNet says."""
    x, text = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8), torch.ones(1, 77, 32)
    with torch.inference_mode():
        said: Tensor = model.diffusion_model(x, 500, text, return_dict=False)[0]
        return said.clone()


@pytest.mark.parametrize(("part", "name", "make"), CASES)
def test_a_network_does_to_packed_weights_what_it_does_to_the_true_ones(
    models: tuple[Components, Components],
    packed: tuple[Components, Patcher],
    tmp_path: Path,
    part: str,
    name: str,
    make: layouts.Make,
) -> None:
    _, patcher = packed
    layer, true = (layer_of(each, part, name) for each in models)
    assert is_quantised(layer)
    path = layouts.written(tmp_path / "a.safetensors", {(part, name): make(layer.weight.shape)})
    plain = Patcher(models[1])
    for each in (patcher, plain):
        each.apply([use(path, text_weight=WEIGHT, unet_weight=WEIGHT)])
    found, wanted = values(layer, torch.float32), true.weight.clone()
    bias, wanted_bias = layer.bias.clone(), true.bias.clone()
    plain.release()
    # float32's rounding: a product of two matrices is added in one step here
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert torch.equal(bias, wanted_bias)
    assert not torch.equal(found, true.weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_the_error_is_that_of_rounding(
    packed: tuple[Components, Patcher], tmp_path: Path, dtype: torch.dtype
) -> None:
    model, patcher = packed
    layer = layer_of(model, "unet", SQUARE)
    parts = layouts.lora(layer.weight.shape)
    path = layouts.written(tmp_path / "a.safetensors", {("unet", SQUARE): parts})
    patcher.apply([use(path)])
    exact, found = values(layer, torch.float32), values(layer, dtype).float()
    # base and factors are rounded as well as their sum
    assert (found - exact).abs().max() <= 3 * torch.finfo(dtype).eps * exact.abs().max()


def test_taken_off_the_model_is_to_the_last_bit_what_it_was(
    packed: tuple[Components, Patcher], tmp_path: Path
) -> None:
    model, patcher = packed
    before, bytes_before = answer(model), _packed_bytes(model)
    layers = {
        ("unet", name): layouts.lora(tuple(layer.weight.shape))
        for name, layer in model.diffusion_model.named_modules()
        if is_quantised(layer)
    }
    path = layouts.written(tmp_path / "a.safetensors", layers)
    patcher.apply([use(path)])
    assert not torch.equal(answer(model), before)
    assert _packed_bytes(model) == bytes_before
    assert patcher.held_bytes < 0.1 * sum(len(each) for each in bytes_before)
    patcher.release()
    assert torch.equal(answer(model), before)
    assert patcher.held_bytes == 0


def test_what_was_captured_is_known_to_be_out_of_date(
    packed: tuple[Components, Patcher], tmp_path: Path
) -> None:
    model, patcher = packed
    shape = layer_of(model, "unet", SQUARE).weight.shape
    path = layouts.written(tmp_path / "a.safetensors", {("unet", SQUARE): layouts.lora(shape)})
    assert patcher.live == 0
    patcher.apply([use(path)])
    first = patcher.live
    patcher.apply([use(path)])
    assert patcher.live == first != 0
    patcher.apply([use(path, unet_weight=0.5)])
    assert patcher.live not in (0, first)
    patcher.release()
    assert patcher.live == 0


def test_weights_change_over_the_run(packed: tuple[Components, Patcher], tmp_path: Path) -> None:
    model, patcher = packed
    layer = layer_of(model, "unet", SQUARE)
    plain = values(layer, torch.float32)
    path = layouts.written(
        tmp_path / "a.safetensors", {("unet", SQUARE): layouts.lora(layer.weight.shape)}
    )
    patcher.apply([use(path)])
    whole = values(layer, torch.float32) - plain
    points = tuple(WeightPoint(weight=w, start=s) for w, s in ((0.0, 0.0), (1.0, 0.4), (0.5, 0.8)))
    patcher.apply([use(path, schedule=points)])
    for fraction, weight in ((0.0, 0.0), (0.5, 1.0), (0.9, 0.5)):
        patcher.at(fraction)
        torch.testing.assert_close(values(layer, torch.float32), plain + weight * whole)


def test_several_networks_add_up(packed: tuple[Components, Patcher], tmp_path: Path) -> None:
    model, patcher = packed
    layer = layer_of(model, "unet", SQUARE)
    plain, changes = values(layer, torch.float32), []
    uses = []
    for name, make in (("a", layouts.lora), ("b", layouts.loha), ("c", layouts.lora)):
        parts = {("unet", SQUARE): make(layer.weight.shape)}
        uses.append(use(layouts.written(tmp_path / f"{name}.safetensors", parts)))
        patcher.apply([uses[-1]])
        changes.append(values(layer, torch.float32) - plain)
    patcher.apply(uses)
    torch.testing.assert_close(values(layer, torch.float32), plain + sum(changes))


def test_a_damaged_network_is_refused_before_anything_runs(
    packed: tuple[Components, Patcher], tmp_path: Path
) -> None:
    model, patcher = packed
    before = answer(model)
    shape = layer_of(model, "unet", SQUARE).weight.shape
    parts = layouts.lora(shape)
    parts["lora_up.weight"] = torch.zeros(shape[0], 3)
    path = layouts.written(tmp_path / "bad.safetensors", {("unet", SQUARE): parts})
    with pytest.raises(ModelUnreadable, match=f"“bad” can't be used: its layer {SQUARE} is damag"):
        patcher.apply([use(path)])
    assert torch.equal(answer(model), before)
    assert patcher.live == 0


def _packed_bytes(model: Components) -> list[bytes]:
    return [
        buffer.view(torch.uint8).numpy().tobytes()
        for name, buffer in model.diffusion_model.named_buffers()
        if name.endswith("quantised_values")
    ]
