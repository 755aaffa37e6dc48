"""The supervised process: whatever happens in it, the caller gets an error and the next try."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import psutil
import pytest

from tests.engine.conftest import NewProcess
from tests.engine.work import images, until, work
from webui.core.engine import EngineState
from webui.core.errors import EngineDied, EngineHung, ModelUnreadable, OutOfMemory
from webui.core.events import Alive, EngineEvent, ImageReady, Progress
from webui.engine.faults import AT_LOADING, AT_START, FaultKind
from webui.engine.process import EngineProcess, Limits
from webui.engine.wire import EngineBug

ROOT = Path(__file__).parents[2]
SLACK_S = 2.0
"""For a machine that does other things as well; an idle one takes a few milliseconds."""
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="sends a signal")


def fault(
    kind: FaultKind, step: int = 2, times: int = 1, prompt: str = ""
) -> list[dict[str, object]]:
    return [{"kind": kind.value, "step": step, "times": times, "prompt": prompt}]


def ready(engine: EngineProcess) -> EngineProcess:
    until(lambda: engine.status().state is EngineState.READY)
    return engine


def test_it_starts_by_itself_and_tells_its_device(new_process: NewProcess) -> None:
    changed = threading.Event()
    engine = new_process(on_change=changed.set)
    assert changed.wait(20)
    status = ready(engine).status()
    assert (status.device, status.detail, status.model) == ("Test patterns", "", "")


def test_a_batch_asked_for_before_it_is_ready_waits(new_process: NewProcess) -> None:
    engine = new_process()
    assert engine.status().state is EngineState.STARTING
    assert len(images(engine, work())) == 1


def test_each_life_is_told_what_to_expect(new_process: NewProcess, tmp_path: Path) -> None:
    told = tmp_path / "expected.txt"
    engine = ready(new_process(factory="tests.engine.expecting:create"))
    engine.expect(work().model)
    until(lambda: told.exists() and told.read_text() == "starter\n")
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    until(lambda: told.read_text() == "starter\n" * 2)
    assert len(images(engine, work())) == 1


def test_models_are_given_back_after_the_batch_at_work(new_process: NewProcess) -> None:
    engine = ready(new_process(seconds_per_step=0.05))
    events = engine.generate(work())
    next(event for event in events if isinstance(event, Progress))
    engine.release()
    *_, last = events
    assert isinstance(last, ImageReady)
    until(lambda: engine.status().model == "")
    assert engine.status().state is EngineState.READY
    assert len(images(engine, work())) == 1
    assert engine.status().model == "starter"


def test_the_status_follows_a_batch(new_process: NewProcess) -> None:
    engine = ready(new_process())
    states, models = set(), set()
    for _ in engine.generate(work(steps=20)):
        states.add(engine.status().state)
        models.add(engine.status().model)
    assert states == {EngineState.BUSY}
    assert models == {"", "starter"}
    assert engine.status().state is EngineState.READY


def test_torch_and_the_page_stay_out_of_the_callers_process() -> None:
    code = (
        "import sys, webui.engine.process; "
        "print([m for m in ('torch', 'numpy', 'gradio', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_its_main_module_is_not_the_servers(new_process: NewProcess, tmp_path: Path) -> None:
    """An engine that imported the server's main module would load the page into itself."""
    script = tmp_path / "server.py"
    script.write_text(
        "import os, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "print(os.getpid(), flush=True)\n"
        "from webui.engine.process import EngineProcess\n"
        "e = EngineProcess('e', 'webui.engine.fake:create', {})\n"
        "e.start(lambda: None)\n"
        "while not e.status().device: time.sleep(0.01)\n"
        "e.close()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 1


@pytest.mark.parametrize("step", [AT_LOADING, 2])
def test_a_crash_ends_the_batch_and_the_next_one_works(new_process: NewProcess, step: int) -> None:
    engine = new_process(fault(FaultKind.CRASH, step))
    first = ready(engine).pid
    with pytest.raises(EngineDied, match=r"ended unexpectedly \(exit code 70\)"):
        images(engine, work())
    assert len(images(engine, work())) == 1
    assert engine.pid != first


@POSIX_ONLY
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_any_signal_is_seen_at_once_and_named(
    new_process: NewProcess, sign: signal.Signals
) -> None:
    engine = ready(new_process(seconds_per_step=0.05))
    batch = engine.generate(work(steps=100))
    next(event for event in batch if isinstance(event, Progress) and event.step == 1)
    os.kill(engine.pid or 0, sign)
    killed = monotonic()
    told = "memory runs out" if sign is signal.SIGKILL else sign.name
    with pytest.raises(EngineDied, match=told):
        list(batch)
    assert monotonic() - killed < SLACK_S
    assert len(images(engine, work(steps=1))) == 1


@POSIX_ONLY
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_what_asks_the_server_to_end_is_left_to_the_server(
    new_process: NewProcess, sign: signal.Signals
) -> None:
    """Ctrl+C and service managers send it to all processes at once."""
    engine = ready(new_process(seconds_per_step=0.02))
    pid = engine.pid
    batch = engine.generate(work(steps=20))
    next(event for event in batch if isinstance(event, Progress) and event.step == 1)
    os.kill(pid or 0, sign)
    assert any(isinstance(event, ImageReady) for event in batch)
    assert engine.pid == pid


@POSIX_ONLY
def test_a_death_between_two_batches_costs_no_batch(new_process: NewProcess) -> None:
    engine = ready(new_process())
    os.kill(engine.pid or 0, signal.SIGKILL)
    assert len(images(engine, work())) == 1


def test_a_process_that_stands_still_is_ended_and_started_again(new_process: NewProcess) -> None:
    engine = ready(new_process(fault(FaultKind.HANG), Limits(hang_s=2.0)))
    asked = monotonic()
    with pytest.raises(EngineHung, match="no sign of life for"):
        images(engine, work())
    assert 1.5 < monotonic() - asked < 2.0 + 1.0 + SLACK_S
    assert len(images(engine, work())) == 1


def test_work_that_never_goes_on_is_ended_though_the_heart_beats(new_process: NewProcess) -> None:
    engine = ready(new_process(fault(FaultKind.STALL), Limits(stall_s=1.0)))
    with pytest.raises(EngineHung):
        images(engine, work())
    assert len(images(engine, work())) == 1


def test_a_long_silence_of_the_work_alone_is_no_hang(new_process: NewProcess) -> None:
    engine = ready(new_process(limits=Limits(hang_s=2.0), seconds_per_step=3.0))
    assert len(images(engine, work(steps=1))) == 1


def test_a_cancel_that_is_not_heard_ends_the_process(new_process: NewProcess) -> None:
    engine = ready(new_process(fault(FaultKind.STALL, step=1), Limits(cancel_s=0.2)))
    pid = engine.pid
    batch = engine.generate(work())
    next(event for event in batch if isinstance(event, Progress))
    batch.close()
    assert len(images(engine, work())) == 1
    assert engine.pid != pid


def test_a_cancel_is_felt_within_one_step(new_process: NewProcess) -> None:
    engine = ready(new_process(seconds_per_step=0.5))
    batch = engine.generate(work(steps=100))
    next(event for event in batch if isinstance(event, Progress) and event.step == 1)
    asked = monotonic()
    batch.close()
    assert monotonic() - asked < 0.5 + SLACK_S
    assert engine.status().state is EngineState.READY


def test_alive_comes_while_a_step_is_slow(new_process: NewProcess) -> None:
    engine = ready(new_process(seconds_per_step=0.5))
    kinds = [type(event) for event in engine.generate(work(steps=1))]
    assert kinds.count(Alive) >= 2


def test_out_of_memory_leaves_the_process_alive(new_process: NewProcess) -> None:
    engine = ready(new_process(fault(FaultKind.OUT_OF_MEMORY)))
    pid = engine.pid
    with pytest.raises(OutOfMemory, match="Try a smaller size"):
        images(engine, work())
    assert engine.status().state is EngineState.READY
    assert len(images(engine, work())) == 1
    assert engine.pid == pid


def test_a_lost_device_ends_the_process_with_its_own_words(new_process: NewProcess) -> None:
    engine = ready(new_process(fault(FaultKind.DEVICE)))
    pid = engine.pid
    with pytest.raises(EngineDied, match="reported an error it can't go on after"):
        images(engine, work())
    assert len(images(engine, work())) == 1
    assert engine.pid != pid


def test_errors_keep_their_class_text_and_fields(new_process: NewProcess) -> None:
    engine = new_process(fault(FaultKind.UNREADABLE))
    with pytest.raises(ModelUnreadable) as raised:
        images(engine, work())
    assert str(raised.value) == "The model “test” can't be used: it is damaged. Download it again."
    assert raised.value.name == "test"


def test_an_error_nobody_thought_of_brings_its_traceback(new_process: NewProcess) -> None:
    engine = new_process(fault(FaultKind.BUG))
    with pytest.raises(EngineBug, match="KeyError") as raised:
        images(engine, work())
    assert "_fail" in "".join(raised.value.__notes__)
    assert len(images(engine, work())) == 1


def test_an_engine_that_cant_start_says_why_and_is_tried_again(new_process: NewProcess) -> None:
    limits = Limits(backoff_s=0.01, longest_backoff_s=0.05)
    engine = new_process(fault(FaultKind.DEVICE, AT_START, times=6), limits)
    until(lambda: engine.status().state is EngineState.FAILED)
    assert "reported an error" in engine.status().detail
    with pytest.raises(EngineDied, match="can't start"):
        images(engine, work())
    ready(engine)
    assert engine.status().detail == ""
    assert len(images(engine, work())) == 1


def test_a_factory_that_is_not_there_is_reported(new_process: NewProcess) -> None:
    engine = new_process(factory="webui.engine.nowhere:create", limits=Limits(backoff_s=0.01))
    until(lambda: engine.status().state is EngineState.FAILED)
    assert "webui.engine.nowhere" in engine.status().detail


@POSIX_ONLY
def test_a_machine_that_gives_no_process_is_asked_again(new_process: NewProcess) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as newest:  # noqa: PTH123 - its number is what is wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (newest.fileno() + 1, hard))
        try:
            engine = new_process(limits=Limits(backoff_s=0.05))
            until(lambda: engine.status().state is EngineState.FAILED)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "can't be started" in engine.status().detail
    ready(engine)


def test_a_slow_start_is_no_hang(new_process: NewProcess) -> None:
    engine = new_process(fault(FaultKind.HANG, AT_START), Limits(hang_s=0.1, prepare_s=1.5))
    until(lambda: engine.status().state is EngineState.RESTARTING)
    assert "no sign of life" in engine.status().detail
    ready(engine)


def test_logs_of_the_child_are_the_servers(
    new_process: NewProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        ready(new_process(factory="tests.engine.talking:create"))
        until(lambda: "ready to talk" in caplog.text)
    record = next(record for record in caplog.records if "ready to talk" in record.message)
    assert (record.name, record.levelname) == ("tests.engine.talking", "INFO")


def test_what_libraries_print_does_not_disturb_the_pipe(new_process: NewProcess) -> None:
    engine = ready(new_process(factory="tests.engine.talking:create"))
    assert len(images(engine, work())) == 1


def test_closing_leaves_nothing_behind(new_process: NewProcess) -> None:
    before = threads_and_files()
    engine = ready(new_process())
    child = psutil.Process(engine.pid)
    engine.close()
    assert not child.is_running()
    assert engine.status().state is EngineState.CLOSED
    assert threads_and_files() == before
    with pytest.raises(EngineDied):
        images(engine, work())


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.STALL])
def test_closing_ends_even_a_process_that_hangs(new_process: NewProcess, kind: FaultKind) -> None:
    engine = ready(new_process(fault(kind), Limits(cancel_s=0.1)))
    child = psutil.Process(engine.pid)
    stop = threading.Event()
    batch = threading.Thread(target=lambda: drain(engine.generate(work()), stop))
    batch.start()
    until(lambda: engine.status().state is EngineState.BUSY)
    stop.set()
    batch.join()
    engine.close()
    assert not child.is_running()


def drain(events: Iterator[EngineEvent], stop: threading.Event) -> None:
    with closing(events) as open_events:  # type: ignore[type-var]
        for _ in open_events:
            if stop.is_set():
                return


@POSIX_ONLY
@pytest.mark.parametrize("restarts", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_restarts_leak_nothing(new_process: NewProcess, restarts: int) -> None:
    engine = ready(new_process(limits=Limits(backoff_s=0.0)))
    before = threads_and_files()
    for _ in range(restarts):
        pid = engine.pid
        os.kill(pid or 0, signal.SIGKILL)
        until(lambda: engine.pid not in (None, pid))  # noqa: B023
        ready(engine)
    until(lambda: threads_and_files() == before)
    children = psutil.Process().children()
    assert [child.pid for child in children if child.status() == psutil.STATUS_ZOMBIE] == []
    assert sum(child.pid == engine.pid for child in children) == 1


@POSIX_ONLY
@pytest.mark.parametrize("is_hanging", [False, True])
def test_the_engine_dies_with_its_server(tmp_path: Path, is_hanging: bool) -> None:
    if is_hanging and sys.platform != "linux":
        pytest.skip("only Linux ends a child that listens no more")
    code = (
        "import sys, time\n"
        "from tests.engine.work import work\n"
        "from webui.core.engine import EngineState\n"
        "from webui.engine.process import EngineProcess\n"
        f"faults = [dict(kind='hang', step=1)] if {is_hanging} else []\n"
        "e = EngineProcess('e', 'webui.engine.fake:create', "
        "dict(faults=faults, seconds_per_step=0.1))\n"
        "e.start(lambda: None)\n"
        "for event in e.generate(work(steps=100)):\n"
        "    if getattr(event, 'step', -1) == 0: print(e.pid, flush=True)\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout
        child = psutil.Process(int(server.stdout.readline()))
        server.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def threads_and_files() -> tuple[int, int]:
    here = psutil.Process()
    return threading.active_count(), here.num_fds() if os.name == "posix" else here.num_handles()
