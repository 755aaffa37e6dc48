"""An extension in the engine asks for pictures of its own, and whoever reads the batch answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.engine.asking import MAKE, PNG
from tests.engine.work import RECIPE, images, until, work
from webui.core.engine import EngineState, Legacy, Work
from webui.core.errors import EngineDied, GessoError, InvalidRequest
from webui.core.events import Ask, EngineEvent, ImageReady
from webui.core.request import GenerationRequest, InputId
from webui.engine.asking import Events
from webui.engine.fake import FakeEngine
from webui.engine.inprocess import InProcessEngine
from webui.engine.process import EngineProcess

LEGACY = Legacy(
    request=GenerationRequest(),
    folders=(),
    inputs={},
    script=None,
    options={},
    data=Path("data"),
)
WORK = replace(work(), legacy=LEGACY)
INNER = work(replace(RECIPE, prompt="inner words"))

Engines = EngineProcess | InProcessEngine


@pytest.fixture(params=["fake", "fake process", pytest.param("real", marks=pytest.mark.torch)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engines]:
    if request.param == "fake":
        yield FakeEngine(legacy=MAKE)
    elif request.param == "fake process":
        process = EngineProcess("test", "webui.engine.fake:create", {"legacy": MAKE})
        process.start(lambda: None)
        yield process
        process.close()
    else:
        from webui.engine.local import create

        local = create({"use_cpu": True, "threads": 1, "legacy": MAKE})
        local.prepare()
        yield local
        local.close()


def heard(events: Events, answer: Callable[[Ask], Work | GessoError]) -> list[EngineEvent]:
    """All events of a batch whose questions are answered."""
    told: list[EngineEvent] = []
    with closing(events):
        event = next(events, None)
        while event is not None:
            told.append(event)
            said = answer(event) if isinstance(event, Ask) else None
            try:
                event = events.throw(said) if isinstance(said, GessoError) else events.send(said)
            except StopIteration:
                event = None
    return told


def test_the_work_that_is_sent_back_is_painted(engine: Engines) -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Work:
        asked.append(ask)
        return INNER

    events = heard(engine.generate(WORK), answer)
    plain, extra = [event for event in events if isinstance(event, ImageReady)]
    assert asked[0].request.prompt == "inner words"
    assert asked[0].pictures == {InputId("f" * 64): PNG}
    assert (plain.is_extra, extra.is_extra) == (False, True)
    assert plain.image.tobytes() == images(engine, work())[0].tobytes()
    assert extra.image.tobytes() == images(engine, INNER)[0].tobytes()


def test_a_refusal_reaches_whoever_asked(engine: Engines) -> None:
    refusal = InvalidRequest("width", "Width 9 is too small. Try 64.")
    events = heard(engine.generate(WORK), lambda ask: refusal)
    _, told = [event for event in events if isinstance(event, ImageReady)]
    assert told.facts == {"refused": str(refusal)}


def test_a_reader_that_knows_no_questions_gets_the_rest(engine: Engines) -> None:
    *_, told = [event for event in engine.generate(WORK) if isinstance(event, ImageReady)]
    assert "makes no pictures for extensions" in told.facts["refused"]


def test_closing_at_a_question_ends_the_batch(engine: Engines) -> None:
    with closing(engine.generate(WORK)) as events:
        assert any(isinstance(event, Ask) for event in events)
    assert len(images(engine, work())) == 1


def waiting(process: EngineProcess) -> Events:
    """A batch that has asked and got no answer."""
    events = process.generate(WORK)
    assert any(isinstance(event, Ask) for event in events)
    return events


@pytest.fixture
def process() -> Iterator[EngineProcess]:
    engine = EngineProcess("test", "webui.engine.fake:create", {"legacy": MAKE})
    engine.start(lambda: None)
    yield engine
    engine.close()


def test_an_engine_that_dies_at_its_question_is_started_again(process: EngineProcess) -> None:
    events = waiting(process)
    psutil.Process(process.pid).kill()
    with pytest.raises(EngineDied):
        list(events)
    assert len(images(process, work())) == 1


def test_closing_the_engine_ends_a_wait_for_an_answer(process: EngineProcess) -> None:
    events = waiting(process)
    process.close()
    with pytest.raises(EngineDied, match="closed"):
        list(events)
    assert process.status().state is EngineState.CLOSED


def test_an_answer_to_a_batch_that_is_over_is_for_nobody(process: EngineProcess) -> None:
    """The next batch's question gets its own answer."""
    with closing(waiting(process)) as events:
        events.send(INNER)
    other = work(replace(RECIPE, prompt="other words"))
    *_, extra = heard(process.generate(WORK), lambda ask: other)
    assert isinstance(extra, ImageReady)
    assert extra.image.tobytes() == images(process, other)[0].tobytes()
    until(lambda: process.status().state is EngineState.READY)
