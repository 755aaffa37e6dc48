"""Networks on models whose weights are streamed, or not in memory, are those on resident ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.engine.weights.parts import CPU, SMALL
from tests.networks import layouts
from tests.networks.conftest import use
from webui.engine.patcher import NetworkUse, Patcher
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.engine.weights.master import master
from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore
from webui.families.components import Components, Placement
from webui.families.sd15 import StableDiffusion15

pytestmark = pytest.mark.torch

PARTS = ("unet", "text_encoder")
PLACEMENT = Placement(device=CPU, dtype=torch.float16, is_channels_last=True)
GRAIN = replace(SMALL, smallest_chunk=20_000)


class Tiny:
    """A tiny Stable Diffusion 1 of which a store brings the weights."""

    def __init__(self, description: Path, file: Path) -> None:
        self.store = WeightStore(CPU, threads=2, grain=GRAIN)
        placement = replace(PLACEMENT, defer=self.store.defer)
        self.components: Components = StableDiffusion15(description).load(file, placement)
        self.patcher = Patcher(self.components)

    def part(self, name: str) -> PartWeights:
        return self.store.of(self.components.part(name))

    def place(self, limit: int | None) -> None:
        for name in PARTS:
            self.part(name).place(limit)

    def weights(self) -> Mapping[str, Tensor]:
        """All weights where they lie for good, as they are now."""
        return {
            f"{name}.{path}.{each}": master(layer, each).clone()
            for name in PARTS
            for path, layer in self.components.part(name).named_modules()
            for each, _ in layer.named_parameters(recurse=False)
        }

    @torch.inference_mode()
    def answers(self) -> tuple[Tensor, Tensor]:
        """What the text encoder and the UNet make of inputs."""
        text = self.components.part("text_encoder")(torch.arange(77)[None])[0]
        latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        unet = self.components.part("unet")
        return text, unet(latents.half(), 500, text, return_dict=False)[0]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Tiny]:
    root = tmp_path_factory.mktemp("tiny")
    description = write_description(root / "description")
    file = write_checkpoint(root / "tiny.safetensors", description)
    return lambda: Tiny(description, file)


@pytest.fixture
def network(load: Callable[[], Tiny], tmp_path: Path) -> NetworkUse:
    """A LoRA for every layer that can have one."""
    torch.manual_seed(3)
    components = load().components
    layers = {
        (name, path): layouts.lora(tuple(layer.weight.shape), 4)
        for name in PARTS
        for path, layer in components.part(name).named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    }
    return use(layouts.written(tmp_path / "all.safetensors", layers), unet_weight=0.7)


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def alike(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    return all(map(torch.equal, one, other))


@pytest.mark.parametrize("limit", [0, 60_000])
def test_on_streamed_layers_they_are_what_they_are_on_resident_ones(
    load: Callable[[], Tiny], network: NetworkUse, limit: int
) -> None:
    resident, streamed = load(), load()
    resident.place(None)
    streamed.place(limit)
    assert streamed.part("unet").is_streamed
    plain, before = streamed.answers(), streamed.weights()
    assert alike(plain, resident.answers())
    for tiny in (resident, streamed):
        tiny.patcher.apply([network])
    assert same(streamed.weights(), resident.weights())
    changed = streamed.answers()
    assert alike(changed, resident.answers())
    assert not alike(changed, plain)
    streamed.patcher.release()
    assert same(streamed.weights(), before)
    assert alike(streamed.answers(), plain)


def test_they_may_be_put_on_parts_that_are_not_in_memory(
    load: Callable[[], Tiny], network: NetworkUse
) -> None:
    resident, absent = load(), load()
    resident.place(None)
    for tiny in (resident, absent):
        tiny.patcher.apply([network])
    absent.place(0)
    assert alike(absent.answers(), resident.answers())


def test_they_stay_while_a_part_is_away(load: Callable[[], Tiny], network: NetworkUse) -> None:
    tiny = load()
    tiny.place(None)
    plain = tiny.answers()
    tiny.patcher.apply([network])
    changed = tiny.answers()
    tiny.part("text_encoder").release()
    tiny.place(None)
    assert alike(tiny.answers(), changed)
    tiny.part("text_encoder").release()
    tiny.patcher.release()
    tiny.place(None)
    assert alike(tiny.answers(), plain)
