"""Answers to floods come late."""

from __future__ import annotations

import asyncio
import time

from webui.people.tarrying import MOST_S, MOST_WAITING, Tarrying, seconds


def test_a_single_one_waits_two_seconds() -> None:
    assert seconds(1) == 2


def test_a_crowd_is_answered_ten_times_a_second_however_large_it_is() -> None:
    for size in (20, 60, 100, 300):
        assert abs(size / seconds(size) - 10) < 1e-9


def test_nobody_waits_longer_than_programs_do() -> None:
    assert seconds(4000) == MOST_S


def test_who_leaves_is_not_counted_any_more() -> None:
    async def come_and_leave() -> int:
        tarrying = Tarrying()
        waiting = await some_waiting(tarrying, 5)
        assert tarrying.waiting == 5
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return tarrying.waiting

    assert asyncio.run(come_and_leave()) == 0


def test_all_are_answered_when_the_server_ends() -> None:
    async def end() -> float:
        tarrying, begun = Tarrying(), time.monotonic()
        waiting = await some_waiting(tarrying, 5)
        tarrying.end()
        await asyncio.gather(*waiting)
        assert tarrying.waiting == 0
        return time.monotonic() - begun

    assert asyncio.run(end()) < 1


def test_those_that_would_fill_the_memory_are_answered_at_once() -> None:
    async def overflow() -> bool:
        tarrying = Tarrying()
        waiting = await some_waiting(tarrying, MOST_WAITING)
        last = asyncio.create_task(tarrying.wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        is_answered = last.done()
        tarrying.end()
        await asyncio.gather(*waiting, last)
        return is_answered and tarrying.waiting == 0

    assert asyncio.run(overflow())


async def some_waiting(tarrying: Tarrying, count: int) -> list[asyncio.Task[None]]:
    waiting = [asyncio.create_task(tarrying.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    return waiting
