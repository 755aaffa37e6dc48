"""Pickled models make the pictures that the same tensors make from safetensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import torch
from safetensors.torch import load_file

from tests.catalog.hostile_corpus import called
from tests.engine.work import RECIPE, work
from tests.model_files import Raw, torch_zip
from webui.core.engine import UsedFile, Work
from webui.core.errors import ModelUnreadable
from webui.core.events import ImageReady, Loading
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import Recipe
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.families import Families
from webui.families.sd15 import StableDiffusion15
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

SHORT: Final = replace(RECIPE, steps=1, width=64, height=64)


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_description(tmp_path_factory.mktemp("tiny") / "description")


@pytest.fixture
def painter(description: Path, tmp_path: Path) -> Iterator[Painter]:
    families = Families([StableDiffusion15(description)])
    device = choose_device(Options(use_cpu=True, threads=1))
    with torch.inference_mode():
        parts = load_samplers(), load_schedules()
        yield Painter(device, families, *parts, tmp_path / "state")


@pytest.fixture
def tiny(description: Path, tmp_path: Path) -> ModelInfo:
    path = write_checkpoint(tmp_path / "tiny.safetensors", description)
    return model(path, ModelKind.CHECKPOINT)


def model(path: Path, kind: ModelKind) -> ModelInfo:
    return ModelInfo(id=path.name, name=path.stem, kind=kind, family="sd15", path=path,
                     size_bytes=1)  # fmt: skip


def batch(model: ModelInfo, recipe: Recipe = SHORT, *files: ModelInfo) -> Work:
    used = tuple(UsedFile(kind=file.kind, ref=file.id, model=file) for file in files)
    return replace(work(recipe), model=model, files=used)


def painted(painter: Painter, wanted: Work) -> tuple[bytes, list[str]]:
    """The pixels, and what was said of loading."""
    events = list(painter.paint(wanted))
    (picture,) = [event.image.tobytes() for event in events if isinstance(event, ImageReady)]
    return picture, [event.note for event in events if isinstance(event, Loading) and event.note]


def pickled(info: ModelInfo, name: str, **beside: object) -> ModelInfo:
    """The same tensors as a trainer saves them."""
    path = info.path.with_name(name)
    torch.save({"state_dict": load_file(info.path), **beside}, path)
    return replace(info, id=name, path=path)


def test_a_pickled_checkpoint_paints_as_its_safetensors_do(
    painter: Painter, tiny: ModelInfo
) -> None:
    expected, _ = painted(painter, batch(tiny))
    ckpt = pickled(tiny, "old.ckpt", global_step=3)
    first, notes = painted(painter, batch(ckpt))
    again, none = painted(painter, batch(ckpt))
    assert first == again == expected
    assert notes[0] == "Converting tiny (only this once): 0%"
    assert none == []


def test_a_pickled_vae_is_used_as_any_other(painter: Painter, tiny: ModelInfo) -> None:
    prefix = "first_stage_model."
    whole = load_file(tiny.path)
    vae = {key.removeprefix(prefix): each for key, each in whole.items() if key.startswith(prefix)}
    vae = {key: each * 0.9 for key, each in vae.items()}
    torch.save({"state_dict": vae, "epoch": 1}, tiny.path.with_name("soft.vae.pt"))
    file = model(tiny.path.with_name("soft.vae.pt"), ModelKind.VAE)
    recipe = replace(SHORT, vae=file.id)
    assert painted(painter, batch(tiny, recipe, file)) != painted(painter, batch(tiny))


def test_a_conversion_can_be_cancelled(painter: Painter, tiny: ModelInfo, tmp_path: Path) -> None:
    with closing(painter.paint(batch(pickled(tiny, "old.ckpt")))) as events:
        assert isinstance(next(events), Loading)
    assert not [each for each in (tmp_path / "state").rglob("*") if "tmp" in each.name]
    assert painted(painter, batch(tiny))[0]


def test_a_hostile_file_fails_its_job_and_runs_nothing(
    painter: Painter, tiny: ModelInfo, tmp_path: Path
) -> None:
    trap = Raw(called("os", "mkdir", str(tmp_path / "canary")))
    path = torch_zip(tmp_path / "evil.safetensors", {"a": trap})
    evil = replace(tiny, path=path)
    with pytest.raises(ModelUnreadable, match="made to harm"):
        list(painter.paint(batch(evil)))
    for kind in (ModelKind.VAE, ModelKind.EMBEDDING, ModelKind.UPSCALER, ModelKind.LORA):
        with pytest.raises(ModelUnreadable, match="made to harm"):
            list(painter.paint(batch(tiny, SHORT, model(path, kind))))
    assert painted(painter, batch(tiny, SHORT, model(path, ModelKind.PREVIEW)))[0]
    assert not (tmp_path / "canary").exists()
