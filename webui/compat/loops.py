"""A running loop of events around the making of Gradio's parts: without one, Gradio makes loops
that nobody closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within_loop(function: Callable[[], T]) -> T:
    """What a function gives that is called in a running loop; in the one that runs, if any."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return function()
    loop = asyncio.new_event_loop()
    given: list[T] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            given.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again outside of the loop
            raised.append(error)
        loop.stop()

    loop.call_soon(call)
    try:
        loop.run_forever()
    finally:
        loop.close()
    if raised:
        raise raised[0]
    return given[0]
