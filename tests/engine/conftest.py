"""Engines that end with their tests, and the work for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webui.engine.process import EngineProcess, Limits

if TYPE_CHECKING:
    from webui.engine.local import LocalEngine

NewProcess = Callable[..., EngineProcess]


@pytest.fixture
def new_process(tmp_path: Path) -> Iterator[NewProcess]:
    """Makes started engine processes with the fake engine in them; `faults` are of the fake's."""
    engines: list[EngineProcess] = []

    def make(
        faults: list[dict[str, Any]] | None = None,
        limits: Limits | None = None,
        factory: str = "webui.engine.fake:create",
        on_change: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> EngineProcess:
        options |= {"faults": faults or [], "tally": str(tmp_path)}
        engine = EngineProcess("test", factory, options, limits)
        engines.append(engine)
        engine.start(on_change)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture(scope="session")
def local() -> Iterator[LocalEngine]:
    """The real engine, ready, on one thread of the CPU. Imports torch, hence not at the top."""
    from webui.engine.local import create

    engine = create({"use_cpu": True, "threads": 1})
    engine.prepare()
    yield engine
    engine.close()
