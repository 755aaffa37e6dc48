"""Matrices in 8 bits: as exact as 8 bits can be, with networks applied before, streamed or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.engine.weights.parts import SMALL
from tests.engine.work import pixels, work
from tests.families import quantised_files as made
from tests.networks import layouts
from tests.networks.conftest import use
from webui.core.events import ImageReady
from webui.engine.device import Device, has_fp8, multiplies_fp8
from webui.engine.fp8.conversion import InFp8
from webui.engine.fp8.layer import Fp8Linear, HalvedFp8Linear
from webui.engine.fp8.scaling import LARGEST, packed, unpacked
from webui.engine.gated_layers import halve_gates
from webui.engine.graphs.structure import Structure
from webui.engine.local import create
from webui.engine.painter import Painter
from webui.engine.patcher import Patcher
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore
from webui.families import load_families
from webui.families.components import Components, Placement
from webui.families.sd15 import StableDiffusion15
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)
GRAIN: Final = replace(SMALL, small_layer=1000, smallest_chunk=20_000)
BLOCK: Final = "mid_block.attentions.0.transformer_blocks.0"
GATED: Final = f"{BLOCK}.ff.net.0.proj"
HALF_STEP: Final = 2**-4
"""Of three bits of fraction, relative to the number."""
FINEST: Final = 2**-10
"""Half of the distance between the smallest numbers."""


def randoms(*shape: int, seed: int = 0) -> Tensor:
    """float64, some rows a thousand times larger than others."""
    draw = torch.Generator().manual_seed(seed)
    numbers = torch.randn(*shape, generator=draw, dtype=torch.float64)
    return numbers * 10 ** torch.linspace(-2, 1, shape[0], dtype=torch.float64)[:, None]


def largest_errors(rows: Tensor) -> Tensor:
    """What 8 bits may be off by, of each number."""
    scale = rows.abs().amax(dim=1, keepdim=True) / LARGEST
    return torch.maximum(rows.abs() * HALF_STEP, scale * FINEST)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rows_are_as_exact_as_8_bits(dtype: torch.dtype) -> None:
    rows = randoms(24, 320).to(dtype)
    apart = (unpacked(*packed(rows)).double() - rows.double()).abs()
    assert (apart <= largest_errors(rows.double()) * 1.001).all()


def test_nothing_stays_nothing() -> None:
    values, scale = packed(torch.zeros(2, 16))
    assert not unpacked(values, scale).any()
    assert torch.isfinite(scale).all()


def test_a_layer_is_within_the_bound_of_its_products() -> None:
    """|error| <= sum of |x||w| times what both factors are off by, and the answer's bfloat16."""
    weight, bias, x = randoms(48, 320, seed=1), randoms(1, 48, seed=2)[0], randoms(24, 320, seed=3)
    layer = nn.Linear(320, 48, dtype=torch.float64)
    layer.bias = nn.Parameter(bias, requires_grad=False)
    values, scale = packed(weight)
    fast: Any = Fp8Linear(layer, weight.clone, values, scale)
    fast.quantised_values, fast.quantised_scale = values, scale
    with torch.inference_mode():
        answer = fast(x.reshape(2, 12, 320))
    assert answer.shape == (2, 12, 48)
    exact = x @ weight.T
    slack = largest_errors(x), largest_errors(weight)
    bound = slack[0] @ weight.abs().T + (x.abs() + slack[0]) @ slack[1].T
    bound = bound + (exact.abs() + bound) * 2**-8 + 1e-6
    apart = (answer.reshape(24, 48) - bias - exact).abs()
    assert (apart <= bound).all()
    assert apart.norm() / exact.norm() < 0.06


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A tiny Stable Diffusion; where it was asked for, in 8 bits."""

    components: Components
    weights: PartWeights

    @property
    def network(self) -> nn.Module:
        """The UNet."""
        found: nn.Module = self.components.diffusion_model
        return found

    @property
    def fast(self) -> dict[str, Fp8Linear]:
        """Its layers of 8 bits."""
        return {n: m for n, m in self.network.named_modules() if isinstance(m, Fp8Linear)}

    def answer(self) -> Tensor:
        """What the UNet says."""
        x, text = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8), torch.ones(1, 77, 32)
        with torch.inference_mode():
            said: Tensor = self.network(x, 500, text, return_dict=False)[0]
            return said.clone()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The tiny model's description, itself, and itself in 8 bits already."""
    folder = tmp_path_factory.mktemp("tiny")
    description = write_description(folder / "description")
    tensors = tiny_tensors(description)
    save_file(tensors, folder / "plain.safetensors")
    save_file(made.as_scaled_fp8(tensors, ""), folder / "scaled.safetensors")
    return description, folder / "plain.safetensors", folder / "scaled.safetensors"


def load(files: tuple[Path, Path, Path], *, is_fp8: bool = True, number: int = 1) -> Loaded:
    store = WeightStore(PLACEMENT.device, grain=GRAIN)
    defer = InFp8(store.defer) if is_fp8 else store.defer
    placement = replace(PLACEMENT, defer=defer)
    components = StableDiffusion15(files[0]).load(files[number], placement)
    weights = store.of(components.diffusion_model)
    for part in (components.diffusion_model, *components.text_encoders.values(), components.vae):
        store.of(part).place()
    return Loaded(components=components, weights=weights)


@pytest.fixture(scope="module")
def plain(files: tuple[Path, Path, Path]) -> Loaded:
    return load(files, is_fp8=False)


@pytest.fixture(scope="module")
def fast(files: tuple[Path, Path, Path]) -> Loaded:
    return load(files)


def test_a_network_in_8_bits_says_nearly_the_same(plain: Loaded, fast: Loaded) -> None:
    exact = plain.answer()
    assert 0 < (fast.answer() - exact).norm() / exact.norm() < 0.05


def test_blocks_alone_are_in_8_bits(plain: Loaded, fast: Loaded) -> None:
    """Neither what reads the text, nor text encoders and VAE; and take a quarter of the room."""
    assert GATED in fast.fast
    assert f"{BLOCK}.attn1.to_out.0" not in fast.fast  # would gain nothing
    assert all("transformer_blocks" in name for name in fast.fast)
    assert not any("attn2.to_k" in name or "attn2.to_v" in name for name in fast.fast)
    others = [*fast.components.text_encoders.values(), fast.components.vae]
    assert not any(isinstance(m, Fp8Linear) for other in others for m in other.modules())
    numbers = sum(m.in_features * m.out_features for m in fast.fast.values())
    saved = plain.weights.total_bytes - fast.weights.total_bytes
    assert 2.8 * numbers < saved < 3 * numbers


def test_halved_gates_say_the_same(fast: Loaded, files: tuple[Path, Path, Path]) -> None:
    halved = load(files)
    halve_gates(halved.network)
    assert all(type(layer) is HalvedFp8Linear for layer in halved.fast.values())
    torch.testing.assert_close(halved.answer(), fast.answer(), rtol=1e-4, atol=1e-4)


def test_streamed_weights_give_the_same_bits(fast: Loaded, files: tuple[Path, Path, Path]) -> None:
    streamed = load(files)
    streamed.weights.place(0)
    assert streamed.weights.is_streamed
    assert torch.equal(streamed.answer(), fast.answer())


def test_files_in_8_bits_take_part(fast: Loaded, files: tuple[Path, Path, Path]) -> None:
    again = load(files, number=2)
    true = load(files, is_fp8=False, number=2).answer()
    assert again.fast.keys() == fast.fast.keys()
    assert (again.answer() - true).norm() / true.norm() < 0.05


def values(layer: Any) -> Tensor:
    return unpacked(layer.quantised_values, layer.quantised_scale)


@pytest.mark.parametrize("make", [layouts.lora, layouts.loha, layouts.dora_rows])
def test_a_network_is_applied_before_the_8_bits(
    make: Any, plain: Loaded, fast: Loaded, tmp_path: Path
) -> None:
    """The layer has the changed weight of full precision in 8 bits; taken off, the same bits as
    before; its recordings hold, for nothing but numbers has changed."""
    torch.manual_seed(2)
    model = fast
    layer: Any = model.fast[GATED]
    structure = Structure(model.network)
    before, edition, bits = model.answer(), structure.edition(), values(layer)
    file = tmp_path / "network.safetensors"
    layouts.written(file, {("unet", GATED): make(tuple(layer.quantised_values.shape))})
    patchers = [Patcher(model.components), Patcher(plain.components)]
    try:
        for patcher in patchers:
            patcher.apply([use(file)])
        changed: Any = plain.network.get_submodule(GATED).weight
        assert torch.equal(values(layer), unpacked(*packed(changed)))
        assert not torch.equal(values(layer), bits)
        assert (model.answer() - plain.answer()).norm() / plain.answer().norm() < 0.05
        assert structure.edition() == edition
        model.weights.release()
        model.weights.place(0)
        assert torch.equal(unpacked(*packed(changed)), _streamed(model, layer))
    finally:
        for patcher in patchers:
            patcher.release()
        model.weights.place()
    assert torch.equal(model.answer(), before)


def _streamed(model: Loaded, layer: Any) -> Tensor:
    """A layer's weight as it is while it runs."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda *_: seen.append(values(layer)))
    model.answer()
    handle.remove()
    return seen[0]


def test_a_picture_says_so() -> None:
    device = Device(label="CPU", placement=PLACEMENT, threads=1)
    painter = Painter(device, load_families(), load_samplers(), load_schedules(), is_fp8=True)
    batch = work(steps=1, width=64, height=64)
    with torch.inference_mode():
        ready = next(each for each in painter.paint(batch) if isinstance(each, ImageReady))
    painter.manager.release()
    assert ready.facts["matrices"] == "float8_e4m3fn"
    assert np.ptp(pixels(ready.image)) > 30


@pytest.mark.parametrize(
    ("capability", "is_able"),
    [(None, False), ((7, 5), False), ((8, 6), False), ((8, 9), True), ((9, 0), True)],
)
def test_gpus_since_ada_multiply_so(capability: tuple[int, int] | None, is_able: bool) -> None:
    assert has_fp8(capability) is is_able


@pytest.mark.slow
def test_elsewhere_the_start_says_that_it_has_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    assert not multiplies_fp8(torch.device("cpu"))
    engine = create({"use_cpu": True, "threads": 1, "fp8_matmul": True})
    engine.prepare()
    engine.close()
    assert "fp8_matmul has no effect: CPU, 1 thread does not multiply in 8 bits" in caplog.text
