"""Running an extension's code where it can neither hold up nor end anything else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Late(TimeoutError):
    """Code that did not come back in time."""


def contained(what: str, run: Callable[[], object]) -> None:
    """Run something whose failure must not stop the others."""
    try:
        run()
    except (Exception, SystemExit):
        log.exception("%s failed.", what)


def in_thread(name: str, run: Callable[[], object]) -> None:
    """Run something by itself; what it raises is logged."""
    threading.Thread(target=lambda: contained(name, run), name=name, daemon=True).start()


def in_time(run: Callable[[], T], seconds: float, name: str) -> T:
    """What `run` gives back, run in a thread of its own. Raises what it raises, Late when it takes
    longer; the thread is left to itself then."""
    done: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            done.append(run())
        except BaseException as error:  # noqa: BLE001 - handed on to who waits
            raised.append(error)

    thread = threading.Thread(target=work, name=f"extension {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not done:
        raise Late(
            f"“{name}” did not answer for {seconds:g} seconds and was switched "
            "off. Switch it on to try again."
        )
    return done[0]
