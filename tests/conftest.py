"""What every test may use: a whole studio of its own, and a way to wait without sleeping."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on a busy machine spin (20x slower)
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

from webui.core.job import Job, JobId
from webui.engine.fake import FakeEngine
from webui.settings import SettingsStore
from webui.studio import Studio

T = TypeVar("T")

# How long an example takes says more of the machine than of the program.
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)


def pytest_configure(config: pytest.Config) -> None:
    """Without the slow tests, the examples are the same each time: no run fails by what nobody
    changed. With them, and for tests that were chosen, they are drawn anew."""
    is_short = "not slow" in config.getoption("markexpr")
    hypothesis.settings.load_profile("same" if is_short else "search")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: from the first on, Playwright's event loop runs in this thread, and
    tests that need a loop of their own could not start it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def until(probe: Callable[[], T | None], seconds: float = 30) -> T:
    """What `probe` gives once it is true. Fails when that takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < end, f"still not true after {seconds} s"
        time.sleep(0.01)


def png(width: int = 64, height: int = 64, colour: str = "red", mode: str = "RGB") -> bytes:
    """A one-coloured PNG file."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def make_studio(root: Path, engine: FakeEngine | None = None) -> Studio:
    """A studio below `root` that makes test patterns; not started."""
    settings = SettingsStore({"data_dir": str(root), "keep_free_mb": 0})
    return Studio(settings, [engine or FakeEngine("fake")])


def finished(studio: Studio, job_id: JobId) -> Job:
    """The job when it is over, one way or another."""

    def over() -> Job | None:
        job = studio.jobs.get(job_id)
        return job if job.state.is_over else None

    return until(over)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A running studio with an empty data folder and the fake engine."""
    made = make_studio(tmp_path)
    made.start()
    yield made
    made.close()
