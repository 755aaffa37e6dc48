"""A hook that does not come back: the job goes on without it, and nobody asks it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from webui.extend.calls import Calls
from webui.extend.extension import Failure, Origin
from webui.extend.finding import Found
from webui.extend.loaded import Loaded
from webui.extend.manifest import Manifest
from webui.extend.registration import Implementation


@pytest.fixture
def end() -> Iterator[Event]:
    made = Event()
    yield made
    made.set()


def test_a_hook_that_hangs_is_given_up(end: Event) -> None:
    found = Found(manifest=Manifest(id="it", name="It"), folder=Path(), origin=Origin.FOLDER)
    wait = Implementation(run=lambda words: end.wait(), arguments=("words",))
    loaded = Loaded(found=found, hooks={"prompt": wait})
    booked: list[Failure] = []
    calls = Calls(lambda _, failure: booked.append(failure), hook_s=0.05)
    outcome = calls.call(loaded, "prompt", {"words": "a house", "more": 1})
    assert outcome.value is None
    assert outcome.failure == booked[0]
    assert booked[0].is_hang
    assert "did not answer for 0.05 seconds" in booked[0].message
