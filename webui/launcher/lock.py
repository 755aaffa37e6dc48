"""One set-up at a time for a folder. The system frees the lock when its holders end or die.

On Linux and macOS pip inherits the lock, so that a launcher that was killed leaves it locked for
as long as its pip still writes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from webui.launcher.errors import SetupError
from webui.launcher.progress import say

POLL_S = 0.5


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock, waiting for another launcher to finish first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise SetupError(
            f"The folder {path.parent.parent} can't be written to ({error.strerror}).",
            "Move the program to a folder of your own, such as one in your home folder.",
        ) from error
    with file:
        if not _try_lock(file):
            say("Another launcher is setting up in this folder; waiting for it.")
            while not _try_lock(file):
                time.sleep(POLL_S)
        os.set_inheritable(file.fileno(), True)
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
