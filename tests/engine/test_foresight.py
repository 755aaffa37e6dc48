"""Building the model that is expected while nobody waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from tests.engine.work import images, work
from webui.core.engine import Work
from webui.core.model import ModelInfo, ModelKind
from webui.engine.device import Device
from webui.engine.foresight import Foresight
from webui.engine.local import create
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.engine.weights.store import WeightStore
from webui.families import Families, load_families
from webui.families.components import Placement
from webui.families.sd15 import StableDiffusion15
from webui.families.sdxl import StableDiffusionXL
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PLACEMENT = Placement(device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def batch() -> Work:
    return work(steps=1, width=64, height=64)


@pytest.fixture
def painter(tmp_path: Path) -> Iterator[Painter]:
    device = Device(label="CPU", placement=PLACEMENT, threads=1)
    with torch.inference_mode():
        made = Painter(device, load_families(), load_samplers(), load_schedules(), tmp_path)
        yield made
        made.manager.release()


def picture(painter: Painter, batch: Work) -> bytes:
    *_, ready = painter.paint(batch)
    return bytes(ready.image.tobytes())  # type: ignore[union-attr]


def test_a_model_that_was_foreseen_draws_the_same_picture(painter: Painter, batch: Work) -> None:
    Foresight(painter.manager, batch.model).build()
    assert not painter.manager.is_loaded(batch.model)
    assert painter.manager.weights_bytes == 0
    foreseen = picture(painter, batch)
    painter.manager.release()
    assert foreseen == picture(painter, batch)


@dataclass
class Card:
    """A GPU with so much memory left, as far as the engine is told."""

    free_bytes: float
    store: WeightStore | None = None

    def __call__(self, store: WeightStore) -> float:
        self.store = store
        return self.free_bytes

    @property
    def taken_bytes(self) -> int:
        assert self.store is not None
        return self.store.device_bytes


@contextmanager
def painter_on(card: Card, families: Families | None = None) -> Iterator[Painter]:
    device, families = (
        Device(label="CPU", placement=PLACEMENT, threads=1),
        families or load_families(),
    )
    with torch.inference_mode():
        made = Painter(device, families, load_samplers(), load_schedules(), None, card)
        yield made
        made.manager.release()


def test_memory_is_taken_ahead_and_the_picture_is_the_same(painter: Painter, batch: Work) -> None:
    card = Card(free_bytes=64e9)
    with painter_on(card) as ahead:
        Foresight(ahead.manager, batch.model).build()
        assert card.taken_bytes > 1e6
        assert not ahead.manager.is_loaded(batch.model)
        assert picture(ahead, batch) == picture(painter, batch)


def test_what_was_taken_ahead_is_given_to_whoever_needs_it(batch: Work) -> None:
    card = Card(free_bytes=64e9)
    with painter_on(card) as ahead:
        Foresight(ahead.manager, batch.model).build()
        ahead.manager.give_back()
        assert card.taken_bytes == 0
        assert picture(ahead, batch)


def test_nothing_is_taken_ahead_where_room_is_short(batch: Work) -> None:
    card = Card(free_bytes=3e9)
    with painter_on(card) as ahead:
        Foresight(ahead.manager, batch.model).build()
        assert card.taken_bytes == 0


def test_taking_ahead_ends_when_somebody_comes(batch: Work) -> None:
    card = Card(free_bytes=64e9)
    with painter_on(card) as ahead:
        ahead.manager.foresee(batch.model)
        taking = ahead.manager.reserve()
        next(taking)
        next(taking)
        taking.close()
        before = card.taken_bytes
        assert before > 0
        assert picture(ahead, batch)
        assert card.taken_bytes > before


def test_whoever_comes_meanwhile_is_not_kept_waiting(painter: Painter, batch: Work) -> None:
    foresight = Foresight(painter.manager, batch.model)
    foresight.give_up()
    foresight.build()
    assert picture(painter, batch)


def test_a_model_that_can_not_be_read_is_nobody_s_trouble(painter: Painter, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no model")
    model = work().model
    Foresight(
        painter.manager,
        ModelInfo(
            id="broken",
            name="broken",
            kind=model.kind,
            family=model.family,
            path=broken,
            size_bytes=8,
        ),
    ).build()
    assert not painter.manager.weights_bytes


def test_a_model_is_built_beside_one_of_another_family(batch: Work, tmp_path: Path) -> None:
    description = write_description(tmp_path / "description", "sdxl")
    wanted = replace(batch, model=tiny_sdxl(tmp_path / "xl.safetensors", description))
    families = Families([StableDiffusion15(), StableDiffusionXL(description)])
    with painter_on(Card(free_bytes=64e9), families) as painter:
        alone = picture(painter, wanted)
        painter.manager.release()
        starter = picture(painter, batch)
        for other in (batch, wanted):
            Foresight(painter.manager, wanted.model).build()
            assert painter.manager.is_loaded(batch.model)
            assert picture(painter, other) == (starter if other is batch else alone)


def tiny_sdxl(file: Path, description: Path) -> ModelInfo:
    return ModelInfo(
        id=file.name,
        name=file.stem,
        kind=ModelKind.CHECKPOINT,
        family="sdxl",
        path=write_checkpoint(file, description, family="sdxl"),
        size_bytes=1,
    )


def test_what_is_expected_of_an_engine_does_not_change_its_pictures() -> None:
    drawn = []
    for is_told in (False, True):
        engine = create({"use_cpu": True, "threads": 1})
        with closing(engine):
            engine.prepare()
            batch = work(steps=1, width=64, height=64)
            if is_told:
                engine.expect(batch.model)
                engine.expect(batch.model)
            drawn.append(images(engine, batch)[0].tobytes())
    assert drawn[0] == drawn[1]
