"""Events reach all who watch, in one order, whatever one of them does."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest

from tests.jobs.rig import RECIPE, REQUEST
from webui.core.events import Message, PreviewReady, Queued, Waiting
from webui.core.job import Job, JobId, JobState, PersonId
from webui.jobs.bus import EventBus

JOB = Job(
    id=JobId("j"), owner=PersonId("anna"), state=JobState.QUEUED, request=REQUEST, recipe=RECIPE,
    created_at=0.0,
)  # fmt: skip


def test_a_message_tells_which_job_and_whose() -> None:
    bus = EventBus()
    assert bus.publish(Queued(), JOB) == Message(seq=1, job_id="j", owner="anna", event=Queued())
    about_none = bus.publish(Waiting(reason="full"))
    assert (about_none.seq, about_none.job_id, about_none.owner) == (2, "", "")


def test_who_left_hears_no_more() -> None:
    bus, heard = EventBus(), list[Message]()
    leave = bus.subscribe(heard.append)
    first = bus.publish(Queued(), JOB)
    leave()
    bus.publish(Queued(), JOB)
    assert heard == [first]


def test_all_watchers_see_one_order_from_many_threads() -> None:
    bus, left, right = EventBus(), list[Message](), list[Message]()
    bus.subscribe(left.append)
    bus.subscribe(right.append)

    def publish(number: int) -> None:
        job = replace(JOB, id=JobId(str(number)))
        for version in range(100):
            bus.publish(PreviewReady(version=version), job)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left == right
    assert [message.seq for message in left] == list(range(1, 401))


def test_a_broken_watcher_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = EventBus(), list[Message]()

    def broken(message: Message) -> None:
        raise RuntimeError("gone")

    bus.subscribe(broken)
    bus.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(Queued(), JOB)
    assert len(heard) == 1
    assert "A watcher of events failed at Queued" in caplog.text
