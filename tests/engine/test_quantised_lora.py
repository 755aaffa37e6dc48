"""Networks on layers that keep their weight in fewer bits: as on the true values, and off again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.engine.weights.parts import SMALL
from tests.families import quantised_files as made
from tests.networks import layouts
from tests.networks.conftest import use
from webui.core.errors import ModelUnreadable
from webui.engine.graphs.structure import Structure
from webui.engine.patcher import Patcher
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.engine.weights.store import WeightStore
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
GRAIN: Final = replace(SMALL, smallest_chunk=20_000)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The tiny model's description, itself in fp8 with scales, and the same with true values."""
    folder = tmp_path_factory.mktemp("tiny")
    description = write_description(folder / "description")
    scaled = made.as_scaled_fp8(tiny_tensors(description), "")
    true = {
        key: value.float() * scaled.get(f"{key.removesuffix('weight')}scale_weight", 1)
        for key, value in scaled.items()
        if "scale" not in key
    }
    save_file(scaled, folder / "scaled.safetensors")
    save_file(true, folder / "true.safetensors")
    return description, folder / "scaled.safetensors", folder / "true.safetensors"


@pytest.fixture(scope="module")
def models(files: tuple[Path, Path, Path]) -> tuple[Components, Components]:
    """The packed model, and that of its true values."""
    family = StableDiffusion15(files[0])
    return family.load(files[1], PLACEMENT), family.load(files[2], PLACEMENT)


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
    structure = Structure(model.diffusion_model)
    plain = structure.edition()
    patcher.apply([use(path)])
    first = structure.edition()
    patcher.apply([use(path)])
    assert structure.edition() == first != plain
    patcher.apply([use(path, unet_weight=0.5)])
    assert structure.edition() not in (plain, first)
    patcher.release()
    assert structure.edition() == plain


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


def _packed_bytes(model: Components) -> list[bytes]:
    return [
        buffer.view(torch.uint8).numpy().tobytes()
        for name, buffer in model.diffusion_model.named_buffers()
        if name.endswith("quantised_values")
    ]


def test_streamed_layers_are_what_resident_ones_are(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    description, scaled, _ = files
    said = []
    path = layouts.written(tmp_path / "a.safetensors", {("unet", SQUARE): layouts.lora((64, 64))})
    for limit in (None, 0):
        store = WeightStore(torch.device("cpu"), threads=1, grain=GRAIN)
        placement = replace(PLACEMENT, defer=store.defer)
        model = StableDiffusion15(description).load(scaled, placement)
        part, patcher = store.of(model.diffusion_model), Patcher(model)
        part.place(limit)
        assert part.is_streamed == (limit == 0)
        plain = answer(model)
        patcher.apply([use(path)])
        said.append((plain, answer(model)))
        part.release()
        part.place(limit)
        assert torch.equal(answer(model), said[-1][1])
        patcher.release()
        assert torch.equal(answer(model), plain)
    assert all(map(torch.equal, *said))
    assert not torch.equal(*said[0])
