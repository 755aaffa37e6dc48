"""Tiny upscalers with random weights, in the layouts that people have on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from webui.core.model import ModelInfo, ModelKind

WIDTH = 8
GROWTH = 32
"""spandrel knows no other."""


def upscaler(path: Path) -> ModelInfo:
    """What the catalog says of a file."""
    return ModelInfo(
        id=path.name,
        name=path.stem,
        kind=ModelKind.UPSCALER,
        family="",
        path=path,
        size_bytes=path.stat().st_size,
    )


def old_esrgan(scale: int = 4, seed: int = 0) -> dict[str, Tensor]:
    """ESRGAN as its authors published it, one block deep: rows of numbered layers."""
    ups = {1: 0, 2: 1, 4: 2}[scale]
    layers = {"model.0": (3, WIDTH), **_block("model.1.sub.0.RDB", "conv{}.0")}
    layers["model.1.sub.1"] = (WIDTH, WIDTH)
    layers |= {f"model.{3 * number}": (WIDTH, WIDTH) for number in range(1, ups + 1)}
    layers |= {f"model.{3 * ups + 2}": (WIDTH, WIDTH), f"model.{3 * ups + 4}": (WIDTH, 3)}
    return dict(_weights(layers, seed))


def new_esrgan(seed: int = 0) -> dict[str, Tensor]:
    """The same as Real-ESRGAN has it, 4 times."""
    layers = {"conv_first": (3, WIDTH), **_block("body.0.rdb", "conv{}")}
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        layers[name] = (WIDTH, WIDTH)
    return dict(_weights(layers | {"conv_last": (WIDTH, 3)}, seed))


def as_safetensors(path: Path, tensors: dict[str, Tensor]) -> ModelInfo:
    """The tensors as a file."""
    save_file(tensors, path)
    return upscaler(path)


def as_pickle(path: Path, content: object, *, is_zip: bool = True) -> ModelInfo:
    """What torch.save makes of it, now or before 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return upscaler(path)


def _block(prefix: str, conv: str) -> dict[str, tuple[int, int]]:
    """Three dense blocks of five layers, each of which sees all before it."""
    return {
        f"{prefix}{block}.{conv.format(layer)}": (
            WIDTH + (layer - 1) * GROWTH,
            GROWTH if layer < 5 else WIDTH,
        )
        for block in (1, 2, 3)
        for layer in (1, 2, 3, 4, 5)
    }


def _weights(layers: dict[str, tuple[int, int]], seed: int) -> Iterator[tuple[str, Tensor]]:
    """Such that signals neither grow nor vanish; the last layer's results lie about 0.5."""
    generator = torch.Generator().manual_seed(seed)
    *_, last = layers
    for name, (inputs, outputs) in layers.items():
        weight = torch.randn((outputs, inputs, 3, 3), generator=generator)
        yield f"{name}.weight", weight * (2 / (9 * inputs)) ** 0.5
        yield f"{name}.bias", torch.full((outputs,), 0.5 if name == last else 0.0)
