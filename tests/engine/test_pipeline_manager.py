"""Which models are in memory, and which weights the modes share."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.engine.work import RECIPE, STARTER, work
from webui.core.engine import Work
from webui.core.errors import ModelUnreadable
from webui.core.events import ImageReady, Loading
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import InputId, Mask, Source
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.families import Families
from webui.families.sd15 import StableDiffusion15
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PICTURE = InputId("1" * 64)


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_description(tmp_path_factory.mktemp("tiny") / "description")


@pytest.fixture
def painter(description: Path) -> Iterator[Painter]:
    """One whose single files are tiny models."""
    families = Families([StableDiffusion15(description)])
    device = choose_device(Options(use_cpu=True, threads=1))
    with torch.inference_mode():
        yield Painter(device, families, load_samplers(), load_schedules())


@pytest.fixture
def tiny(description: Path, tmp_path: Path) -> ModelInfo:
    return ModelInfo(
        id="tiny.safetensors",
        name="tiny",
        kind=ModelKind.CHECKPOINT,
        family="sd15",
        path=write_checkpoint(tmp_path / "tiny.safetensors", description),
        size_bytes=1,
    )


def loads(painter: Painter, batch: Work) -> bool:
    """Whether a batch had to load its model; it has to succeed."""
    events = list(painter.paint(batch))
    assert isinstance(events[-1], ImageReady)
    return any(isinstance(event, Loading) for event in events)


def test_three_modes_share_one_set_of_weights(
    painter: Painter, tiny: ModelInfo, tmp_path: Path
) -> None:
    Image.new("RGB", (128, 64), "white").save(tmp_path / "white.png")
    source = Source(image=PICTURE)
    modes = [{}, {"source": source}, {"source": source, "mask": Mask(image=PICTURE)}]
    batches = [
        replace(work(inputs={PICTURE: tmp_path / "white.png"}, **mode), model=tiny)
        for mode in modes
    ]
    assert [loads(painter, batch) for batch in batches] == [True, False, False]


def test_another_model_takes_the_place_of_the_first(painter: Painter, tiny: ModelInfo) -> None:
    first = painter.manager.get(tiny).components.diffusion_model
    painter.manager.get(STARTER)
    assert all(weight.is_meta for weight in first.parameters())
    assert painter.manager.is_loaded(STARTER)
    assert not painter.manager.is_loaded(tiny)


def test_a_model_of_the_same_build_takes_over_what_the_first_left(
    painter: Painter, tiny: ModelInfo
) -> None:
    path = tiny.path.with_name("other.safetensors")
    save_file({key: tensor * 2 for key, tensor in load_file(tiny.path).items()}, path)
    first = painter.manager.get(tiny).components.diffusion_model
    before = first.conv_in.weight.clone()
    second = painter.manager.get(replace(tiny, path=path)).components.diffusion_model
    assert second is first
    assert torch.equal(second.conv_in.weight, before * 2)


def test_pictures_after_switches_are_those_of_a_fresh_engine(
    painter: Painter, tiny: ModelInfo
) -> None:
    other = replace(tiny, path=tiny.path.with_name("other.safetensors"))
    save_file({key: tensor * 1.1 for key, tensor in load_file(tiny.path).items()}, other.path)

    def drawn(model: ModelInfo) -> bytes:
        *_, last = painter.paint(replace(work(), model=model))
        assert isinstance(last, ImageReady)
        return last.image.tobytes()

    fresh = []
    for model in (tiny, other):
        fresh.append(drawn(model))
        painter.manager.release()
    assert fresh[0] != fresh[1]
    assert [drawn(model) for model in (tiny, other, tiny, other)] == fresh * 2


def test_a_model_whose_successor_is_broken_leaves_no_memory(
    painter: Painter, tiny: ModelInfo
) -> None:
    """The parts before the broken one have taken over its memory by then."""
    weights = load_file(tiny.path)
    (last,) = [key for key in weights if key.endswith("final_layer_norm.bias")]
    broken = replace(tiny, path=tiny.path.with_name("broken.safetensors"))
    save_file({key: tensor for key, tensor in weights.items() if key != last}, broken.path)
    modules = painter.manager.get(tiny).modules
    with pytest.raises(ModelUnreadable, match="missing"):
        painter.manager.get(broken)
    assert all(weight.is_meta for module in modules for weight in module.parameters())
    assert loads(painter, replace(work(), model=tiny))


def test_a_released_model_is_gone(painter: Painter, tiny: ModelInfo) -> None:
    unet = weakref.ref(painter.manager.get(tiny).components.diffusion_model)
    painter.manager.release()
    gc.collect()
    assert unet() is None


def test_a_file_that_is_replaced_is_loaded_again(painter: Painter, tiny: ModelInfo) -> None:
    painter.manager.get(tiny)
    os.utime(tiny.path, (1, 1))
    assert not painter.manager.is_loaded(tiny)
    assert loads(painter, replace(work(), model=tiny))


def test_a_folder_whose_weights_are_replaced_is_loaded_again(
    painter: Painter, tmp_path: Path
) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(STARTER.path, folder)
    model = replace(STARTER, path=folder)
    painter.manager.get(model)
    os.utime(next((folder / "vae").glob("*.safetensors")), (1, 1))
    assert not painter.manager.is_loaded(model)


def test_a_broken_model_leaves_room_for_the_next(painter: Painter, tiny: ModelInfo) -> None:
    broken = replace(tiny, path=tiny.path.with_name("broken.safetensors"))
    broken.path.write_bytes(tiny.path.read_bytes()[:5000])
    with pytest.raises(ModelUnreadable, match="cut short"):
        painter.manager.get(broken)
    assert loads(painter, replace(work(RECIPE), model=tiny))


def test_a_model_of_broken_numbers_says_so_instead_of_drawing_black(
    painter: Painter, tiny: ModelInfo
) -> None:
    weights = load_file(tiny.path)
    weights["model.diffusion_model.out.2.bias"].fill_(float("nan"))
    save_file(weights, tiny.path)
    with pytest.raises(ModelUnreadable, match="no numbers"):
        list(painter.paint(replace(work(), model=tiny)))


def test_a_model_that_is_gone_says_so(painter: Painter, tiny: ModelInfo) -> None:
    painter.manager.get(tiny)
    tiny.path.unlink()
    with pytest.raises(ModelUnreadable, match="no longer there"):
        list(painter.paint(replace(work(), model=tiny)))
    painter.manager.release()
    with pytest.raises(ModelUnreadable, match="is missing"):
        list(painter.paint(replace(work(), model=tiny)))


def test_a_family_that_nobody_knows_is_named(painter: Painter) -> None:
    with pytest.raises(ModelUnreadable, match="sd99"):
        painter.manager.get(replace(STARTER, family="sd99"))


def test_a_clip_skip_within_the_tiny_model_works_from_a_single_file(
    painter: Painter, tiny: ModelInfo
) -> None:
    drawn = []
    for clip_skip in (1, 2):
        events = list(painter.paint(replace(work(clip_skip=clip_skip), model=tiny)))
        drawn += [event.image.tobytes() for event in events if isinstance(event, ImageReady)]
    assert drawn[0] != drawn[1]
