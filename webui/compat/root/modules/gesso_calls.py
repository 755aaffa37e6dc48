"""Guarded calls of scripts' functions: what they raise is booked, and stops nobody else. Not a
module of A1111's."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modules.gesso import side

log = logging.getLogger("a1111")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a script's function; `error` is its traceback, empty when all went well."""

    extension: str
    hook: str
    script: str
    seconds: float
    error: str = ""


def loading_extension() -> str:
    """The id of the extension whose files are being loaded."""
    return side.loading


def guarded(
    extension: str, hook: str, script: str, function: Callable[..., Any], *args: Any
) -> Any:
    """What a function gives, None when it raises; told to `side.heard`."""
    began, error, given = time.perf_counter(), "", None
    try:
        given = function(*args)
    except side.passing:
        raise
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - booked with its traceback
        error = "".join(traceback.format_exception(raised))
        log.warning("%s of %s failed:\n%s", hook, script, error)
    seconds = time.perf_counter() - began
    call = Call(extension=extension, hook=hook, script=script, seconds=seconds, error=error)
    for hear in list(side.heard):
        hear(call)
    return given
