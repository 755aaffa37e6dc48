"""Building the model that was used last while nobody waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.engine.work import images, work
from webui.core.engine import Work
from webui.core.model import ModelInfo
from webui.engine.device import Device
from webui.engine.foresight import Foresight
from webui.engine.last_model import LastModel
from webui.engine.local import create
from webui.engine.painter import Painter
from webui.engine.weights.store import WeightStore
from webui.families import load_families
from webui.families.components import Placement
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
def painter_on(card: Card) -> Iterator[Painter]:
    device = Device(label="CPU", placement=PLACEMENT, threads=1)
    with torch.inference_mode():
        made = Painter(device, load_families(), load_samplers(), load_schedules(), None, card)
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


def test_the_next_start_knows_the_model(painter: Painter, batch: Work, tmp_path: Path) -> None:
    assert painter.last_model.known is None
    picture(painter, batch)
    assert LastModel(tmp_path / "last-model.json").known == batch.model


def test_a_second_start_draws_the_same_while_it_builds_ahead(tmp_path: Path) -> None:
    drawn = []
    for _ in range(2):
        engine = create({"use_cpu": True, "threads": 1, "state_dir": str(tmp_path)})
        with closing(engine):
            engine.prepare()
            drawn.append(images(engine, work(steps=1, width=64, height=64))[0].tobytes())
    assert drawn[0] == drawn[1]


def test_a_damaged_note_and_a_model_that_is_gone_are_as_none(tmp_path: Path) -> None:
    file = tmp_path / "last-model.json"
    file.write_text("{")
    assert LastModel(file).known is None
    gone = work().model
    moved = ModelInfo(**{**vars(gone), "path": tmp_path / "gone"})
    LastModel(file).note(moved)
    assert LastModel(file).known is None
