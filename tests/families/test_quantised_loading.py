"""Whole models in fewer bits: the network is that of the true values, and pictures come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.engine.work import RECIPE, pixels
from tests.families import quantised_files as made
from webui.catalog.recognise import recognise
from webui.core.engine import UsedFile, Work
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.engine.device import Device
from webui.engine.painter import Painter
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.families import Families, load_families
from webui.families.components import Components, Placement
from webui.families.quantised.layers import is_quantised
from webui.families.sd15 import StableDiffusion15
from webui.families.sdxl import StableDiffusionXL
from webui.families.weights import TensorFiles
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)
UNET: Final = "model.diffusion_model."
VAE: Final = "first_stage_model."
TEXT: Final = "cond_stage_model.transformer."
Pixels = npt.NDArray[np.float64]
Write = Callable[[Path, made.Tensors], tuple[Path, Mapping[str, Path]]]
"""A model's file, and those that bring what it lacks."""


def as_scaled(folder: Path, tensors: made.Tensors) -> tuple[Path, Mapping[str, Path]]:
    """As ComfyUI scales a checkpoint's UNet."""
    return _written(folder / "scaled.safetensors", made.as_scaled_fp8(tensors, UNET)), {}


def as_fp8(folder: Path, tensors: made.Tensors) -> tuple[Path, Mapping[str, Path]]:
    """Every tensor cast, norms, text encoder and VAE as well."""
    cast = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in tensors.items()}
    return _written(folder / "fp8.safetensors", cast), {}


def as_nf4(folder: Path, tensors: made.Tensors) -> tuple[Path, Mapping[str, Path]]:
    """The linear layers of the UNet."""
    found = dict(tensors)
    for key, tensor in tensors.items():
        if key.startswith(UNET) and key.endswith(".weight") and tensor.ndim == 2:
            found |= made.as_nf4(tensor, key)
    return _written(folder / "nf4.safetensors", found), {}


def as_gguf(folder: Path, tensors: made.Tensors) -> tuple[Path, Mapping[str, Path]]:
    """The UNet alone, without a prefix, each type in turn; kernels laid out anew where their rows
    are no whole blocks."""
    found, entries, types = {}, [], list(made.BLOCKS)
    for key, tensor in _part(tensors, UNET).items():
        type = types[len(entries) % len(types)]
        weights = made.BLOCKS[type][0]
        if not key.endswith(".weight") or tensor.ndim == 1 or tensor.numel() % weights:
            found[key] = made.plain(tensor)
            continue
        entries.append(made.entry(f"comfy.gguf.orig_shape.{key}", list(tensor.shape)))
        # so that the random weights are about as large as those of the tiny model
        size = float(tensor.std()) / (1 if type.endswith("0") else 60) / 9
        found[key] = made.blocks(type, (tensor.numel() // weights, weights), size)
    path = made.write_gguf(folder / "unet.gguf", found, entries)
    parts = {
        "vae": _written(folder / "vae.safetensors", _part(tensors, VAE)),
        "clip_l": _written(folder / "clip.safetensors", _part(tensors, TEXT)),
    }
    return path, parts


LAYOUTS: Final[Mapping[str, Write]] = {
    "scaled fp8": as_scaled,
    "fp8": as_fp8,
    "nf4": as_nf4,
    "GGUF": as_gguf,
}


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_description(tmp_path_factory.mktemp("tiny") / "description")


@pytest.fixture(scope="module")
def tensors(description: Path) -> made.Tensors:
    return tiny_tensors(description)


def true(path: Path, tensors: made.Tensors) -> made.Tensors:
    """A checkpoint's tensors with the true values of what the file at `path` has in fewer bits."""
    with TensorFiles("tiny", [path]) as files:
        read = {key: files.read(key) for key in files}
    named = {key if key in tensors else UNET + key: value for key, value in read.items()}
    return {key: named.get(key, tensor).reshape(tensor.shape) for key, tensor in tensors.items()}


def answer(components: Components) -> Tensor:
    """What the diffusion model says."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(5)
        x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 32)
        said: Tensor = components.diffusion_model(x, 500, text, return_dict=False)[0]
        return said


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_packed_model_is_that_of_its_true_values(
    description: Path, tensors: made.Tensors, tmp_path: Path, layout: str
) -> None:
    path, parts = LAYOUTS[layout](tmp_path, tensors)
    plain = _written(tmp_path / "plain.safetensors", true(path, tensors))
    family = StableDiffusion15(description)
    packed = family.load(path, PLACEMENT, parts)
    assert any(is_quantised(layer) for layer in packed.diffusion_model.modules())
    assert torch.equal(answer(packed), answer(family.load(plain, PLACEMENT)))


def test_a_scaled_sdxl_is_that_of_its_true_values(tmp_path: Path) -> None:
    description = write_description(tmp_path / "description", "sdxl")
    tensors = tiny_tensors(description, "sdxl")
    path, _ = as_scaled(tmp_path, tensors)
    plain = _written(tmp_path / "plain.safetensors", true(path, tensors))
    family = StableDiffusionXL(description)
    packed, wanted = (family.load(each, PLACEMENT).diffusion_model for each in (path, plain))
    given = {"text_embeds": torch.ones(1, 48), "time_ids": torch.ones(1, 6)}
    x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 80)
    said = [
        model(x, 500, text, added_cond_kwargs=given, return_dict=False)[0]
        for model in (packed, wanted)
    ]
    assert torch.equal(*said)


@pytest.fixture(scope="module")
def painter(description: Path) -> Iterator[Painter]:
    families = Families([StableDiffusion15(description)])
    device = Device(label="CPU", placement=PLACEMENT, threads=1)
    with torch.inference_mode():
        made = Painter(device, families, load_samplers(), load_schedules())
        yield made
        made.manager.release()


@pytest.mark.parametrize("layout", ["scaled fp8", "GGUF"])
def test_a_packed_model_paints_the_picture_of_its_true_values(
    painter: Painter, tensors: made.Tensors, tmp_path: Path, layout: str
) -> None:
    path, parts = LAYOUTS[layout](tmp_path, tensors)
    plain = _written(tmp_path / "plain.safetensors", true(path, tensors))
    wanted, found = paint(painter, plain, {}), paint(painter, path, parts)
    assert wanted.std() > 1
    assert np.abs(found - wanted).max() <= 1


def paint(painter: Painter, path: Path, parts: Mapping[str, Path]) -> Pixels:
    """A small picture."""
    files = [
        UsedFile(
            kind=ModelKind.VAE if part == "vae" else ModelKind.TEXT_ENCODER,
            ref=part,
            model=_info(file),
        )
        for part, file in parts.items()
    ]
    recipe = replace(RECIPE, width=64, steps=2, vae="vae" if parts else None)
    model = replace(_info(path), missing=tuple(parts))
    work = Work(recipes=(recipe,), model=model, inputs={}, files=tuple(files))
    (picture,) = (e.image for e in painter.paint(work) if isinstance(e, ImageReady))
    return pixels(picture)


def test_a_model_in_four_bits_is_recognised(tmp_path: Path) -> None:
    shapes = {
        "input_blocks.0.0.weight": (320, 4, 3, 3),
        "time_embed.0.weight": (1280, 320),
        "out.2.weight": (4, 320, 3, 3),
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    }
    tensors = {UNET + key: torch.zeros(shape).half() for key, shape in shapes.items()}
    for key, tensor in tensors.copy().items():
        if tensor.ndim == 2:
            tensors |= made.as_nf4(tensor, key)
    path = _written(tmp_path / "a.safetensors", tensors)
    found = recognise(path, (), list(load_families()))
    assert (found.kind, found.family) == (ModelKind.CHECKPOINT, "sd15"), found.problem


def _part(tensors: made.Tensors, start: str) -> made.Tensors:
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def _written(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path


def _info(path: Path) -> ModelInfo:
    return ModelInfo(
        id=path.name,
        name=path.stem,
        kind=ModelKind.CHECKPOINT,
        family="sd15",
        path=path,
        size_bytes=path.stat().st_size,
    )
