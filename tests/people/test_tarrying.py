"""Answers to floods come late."""

from __future__ import annotations

import asyncio

from webui.people.tarrying import MOST_S, Tarrying


def test_a_single_one_waits_two_seconds() -> None:
    tarrying = Tarrying()
    tarrying.waiting = 1
    assert tarrying.seconds == 2


def test_a_crowd_is_answered_five_times_a_second_however_large_it_is() -> None:
    tarrying = Tarrying()
    for size in (20, 60, 100, 150):
        tarrying.waiting = size
        assert abs(size / tarrying.seconds - 5) < 1e-9


def test_nobody_waits_longer_than_programs_do() -> None:
    tarrying = Tarrying()
    tarrying.waiting = 4000
    assert tarrying.seconds == MOST_S


def test_who_leaves_is_not_counted_any_more() -> None:
    async def come_and_leave() -> int:
        tarrying = Tarrying()
        waiting = [asyncio.create_task(tarrying.wait()) for _ in range(5)]
        await asyncio.sleep(0)
        assert tarrying.waiting == 5
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return tarrying.waiting

    assert asyncio.run(come_and_leave()) == 0
