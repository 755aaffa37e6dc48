"""Queues that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.jobs.rig import Rig
from webui.core.engine import Engine

NewRig = Callable[..., Rig]


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[NewRig]:
    """Makes a running queue, or one that is not started; all use one folder."""
    rigs: list[Rig] = []

    def make(*engines: Engine, room: int = 1_000_000, is_started: bool = True) -> Rig:
        rigs.append(Rig(tmp_path, *engines, room=room))
        if is_started:
            rigs[-1].dispatcher.start()
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.album.saves_may_go_on.set()
        rig.close()
