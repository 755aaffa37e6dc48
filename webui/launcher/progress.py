"""What the launcher prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


def say(text: str = "") -> None:
    """Print a line at once, also when the output is a file."""
    print(text, flush=True)


def prepare_output() -> None:
    """Never fail on a character that the terminal can't show."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def is_interactive(stream: TextIO) -> bool:
    """Whether a person watches: then pip draws its own bars."""
    return stream.isatty()


def spent(seconds: float) -> str:
    """A time as people say it: "4 s", "1 min 20 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print what begins, and how long it took when it has worked."""
    started = time.monotonic()
    say(f"• {title}")
    yield
    say(f"  done in {spent(time.monotonic() - started)}")
