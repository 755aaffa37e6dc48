"""From one checkpoint to another on a GPU: the pictures of a fresh engine, by the same recordings.

Run by hand on a machine that has a GPU: pytest -m gpu tests/engine/test_switching_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.work import work
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.families import Families
from webui.families.sdxl import StableDiffusionXL
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = [pytest.mark.torch, pytest.mark.gpu]


@pytest.fixture
def painter(tmp_path: Path) -> Iterator[Painter]:
    families = Families([StableDiffusionXL(write_description(tmp_path / "description", "sdxl"))])
    with torch.inference_mode():
        made = Painter(choose_device(Options()), families, load_samplers(), load_schedules())
        yield made
        made.manager.release()


@pytest.fixture
def models(painter: Painter, tmp_path: Path) -> list[ModelInfo]:
    first = tmp_path / "a.safetensors"
    write_checkpoint(first, tmp_path / "description", family="sdxl")
    second = tmp_path / "b.safetensors"
    save_file({key: tensor * 1.1 for key, tensor in load_file(first).items()}, second)
    return [
        ModelInfo(
            id=file.name,
            name=file.stem,
            kind=ModelKind.CHECKPOINT,
            family="sdxl",
            path=file,
            size_bytes=file.stat().st_size,
        )
        for file in (first, second)
    ]


def drawn(painter: Painter, model: ModelInfo) -> bytes:
    *_, last = painter.paint(replace(work(steps=5), model=model))
    assert isinstance(last, ImageReady)
    return last.image.tobytes()


def test_a_switch_keeps_recordings_and_pictures(painter: Painter, models: list[ModelInfo]) -> None:
    fresh = []
    for model in models:
        fresh.append(drawn(painter, model))
        painter.manager.release()
    assert fresh[0] != fresh[1]
    first, second = models
    assert drawn(painter, first) == fresh[0]
    runner = painter.manager.held(first).runner
    kept = runner.kept_bytes
    assert kept > 0
    for model, wanted in zip((second, first, second), (fresh[1], *fresh), strict=True):
        painter.manager.get(model)
        assert painter.manager.held(model).runner is runner
        assert runner.kept_bytes == kept
        assert drawn(painter, model) == wanted
        assert runner.kept_bytes == kept


def test_fifty_switches_take_no_more_memory(painter: Painter, models: list[ModelInfo]) -> None:
    for model in models * 2:
        drawn(painter, model)
    before = torch.cuda.memory_allocated()
    for model in models * 25:
        drawn(painter, model)
    assert torch.cuda.memory_allocated() <= before * 1.02
