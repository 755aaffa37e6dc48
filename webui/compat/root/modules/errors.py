"""What went wrong, said in the log."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

from webui.compat.missing import unprovided

log = logging.getLogger(__name__)
exception_records: list[dict[str, Any]] = []


def record_exception() -> None:
    """Keep what is being handled, the last five."""
    _, error, _ = sys.exc_info()
    if error is None:
        return
    exception_records.append({"exception": str(error), "traceback": traceback.format_exc()})
    del exception_records[:-5]


def report(message: str, *, exc_info: bool = False) -> None:
    """A line in the log, with the traceback if that is asked for."""
    record_exception()
    log.warning("%s", message, exc_info=exc_info and sys.exc_info()[0] is not None)


def print_error_explanation(message: str) -> None:
    """Words for a person."""
    log.warning("%s", message)


def display(e: BaseException, task: str, *, full_traceback: bool = False) -> None:
    """An error in the log, with what was being done."""
    record_exception()
    log.warning("%s: %s", task, type(e).__name__, exc_info=e)


already_displayed: dict[str, int] = {}


def display_once(e: BaseException, task: str) -> None:
    """As `display`, but only the first time."""
    if task not in already_displayed:
        already_displayed[task] = 1
        display(e, task)


def run(code: Callable[[], Any], task: str) -> None:
    """Call a function; what it raises goes to the log."""
    try:
        code()
    except Exception as error:  # noqa: BLE001 - a script's code may raise anything
        display(error, task)


def check_versions() -> None:
    """The host's packages are always those that it was made for."""


__getattr__ = unprovided(__name__)
