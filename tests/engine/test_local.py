"""The real engine as its caller sees it: ready, cancelled, short of memory, closed."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from tests.engine.work import images, work
from webui.core.errors import EngineError
from webui.core.events import Alive, EngineEvent, ImageReady, Loading, Progress
from webui.engine.device import choose_device
from webui.engine.local import LocalEngine, create
from webui.engine.options import Options
from webui.engine.self_test import check_engine
from webui.engine.torch_thread import TorchThread
from webui.families.components import Placement

pytestmark = pytest.mark.torch


@pytest.fixture
def thread() -> Iterator[TorchThread]:
    made = TorchThread()
    yield made
    made.close()


def live_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_an_engine_that_was_not_prepared_says_so() -> None:
    engine = create({"use_cpu": True})
    with closing(engine), pytest.raises(EngineError, match="not ready"):
        engine.generate(work())


def test_its_name_is_fit_for_people(local: LocalEngine) -> None:
    (ready,) = [event for event in local.generate(work()) if isinstance(event, ImageReady)]
    assert ready.facts["device"] == "CPU, 1 thread"
    assert {"precision", "torch", "diffusers"} <= ready.facts.keys()


def test_a_model_whose_memory_was_given_back_is_loaded_again(local: LocalEngine) -> None:
    (first,) = images(local, work(steps=1))
    assert not is_loading(local)
    local.release()
    assert is_loading(local)
    (again,) = images(local, work(steps=1))
    assert first.tobytes() == again.tobytes()


def is_loading(engine: LocalEngine) -> bool:
    return any(isinstance(event, Loading) for event in engine.generate(work(steps=1)))


def test_cancelling_ends_within_a_step_and_frees_what_the_batch_held(local: LocalEngine) -> None:
    images(local, work())
    before = live_tensors()
    with closing(local.generate(work(steps=150, pictures=8))) as events:
        for event in events:
            if isinstance(event, Progress) and event.step == 2:
                break
        started = time.monotonic()
    assert time.monotonic() - started < 5  # a step of this size takes 30 ms, all of them 36 s
    assert live_tensors() <= before


def test_a_batch_of_the_cpu_gives_each_picture_as_soon_as_it_is_done(local: LocalEngine) -> None:
    kinds = [type(event) for event in local.generate(work(pictures=2)) if type(event) is not Alive]
    assert kinds == [Progress] * 5 + [ImageReady] + [Progress] * 4 + [ImageReady]


def test_silences_are_filled_with_signs_of_life(thread: TorchThread) -> None:
    heard = threading.Event()

    def slow() -> Generator[EngineEvent, None, None]:
        assert heard.wait(20)
        yield Progress(step=0, steps=1)

    events = thread.drive(slow())
    assert next(events) == Alive()
    heard.set()
    assert Progress(step=0, steps=1) in list(events)


def test_closing_in_a_silence_waits_for_the_step_and_then_closes(thread: TorchThread) -> None:
    heard, closed = threading.Event(), threading.Event()

    def slow() -> Generator[EngineEvent, None, None]:
        try:
            assert heard.wait(20)
            yield Progress(step=0, steps=1)
        finally:
            closed.set()

    events = thread.drive(slow())
    assert next(events) == Alive()
    heard.set()
    events.close()
    assert closed.is_set()


def test_everything_runs_in_one_thread_without_gradients(thread: TorchThread) -> None:
    seen: list[tuple[int, bool]] = []

    def look() -> Generator[EngineEvent, None, None]:
        for step in range(3):
            seen.append((threading.get_ident(), torch.is_inference_mode_enabled()))
            yield Progress(step=step, steps=2)

    list(thread.drive(look()))
    (ident, is_inference), *others = seen
    assert is_inference
    assert ident != threading.get_ident()
    assert others == [seen[0]] * 2


def test_errors_arrive_as_they_are(thread: TorchThread) -> None:
    def broken() -> Generator[EngineEvent, None, None]:
        yield Alive()
        raise EngineError("no luck")

    with pytest.raises(EngineError, match="no luck"):
        list(thread.drive(broken()))


def test_the_self_test_passes_here() -> None:
    with torch.inference_mode():
        check_engine(choose_device(Options(use_cpu=True, threads=1)))


def test_the_self_test_names_the_versions_when_something_is_broken() -> None:
    """A precision that no layer can compute in stands for a library that broke."""
    device = choose_device(Options(use_cpu=True, threads=1))
    placement = Placement(device=device.placement.device, dtype=torch.int8)
    broken = type(device)(label="CPU", placement=placement, threads=1)
    with pytest.raises(EngineError, match=r"self-test failed: .*torch 2\..*diffusers 0\."):
        check_engine(broken)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on a process's memory")
def test_too_little_memory_is_an_answer_and_the_engine_goes_on(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.engine.short_of_memory", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(program, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("OutOfMemory CPU, 1 thread has too little memory for 1 picture of 2048")
    assert second == "made (64, 64)"
