"""A program that saves pictures and is killed at it; started by test_kill.py.

It forks for each kill, so that the imports are paid for once.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.gallery.album import draw, make_job, open_gallery

FILE_EVENTS = frozenset({"open", "os.link", "os.remove", "os.rename", "os.mkdir", "os.truncate"})
JOB = make_job(batch_size=8, batch_count=100)


def kill_at_every_file_event(root: Path) -> None:
    """One save each in ROOT/1, ROOT/2, ...: the first killed at its first look at the disk, the
    second at its second, until one gets through. Python tells its own file events before it
    carries them out. Prints how many were killed."""
    _warm_up(root / "warm")
    for number in itertools.count(1):
        child = os.fork()
        if child == 0:
            gallery = open_gallery(root / str(number))
            _die_at_event(number)
            gallery.save(JOB, 0, draw())
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            print(number - 1)
            return


def kill_at_random(root: Path, kills: int, seed: int) -> None:
    """Saves picture after picture below ROOT, killed again and again. Prints the number of
    pictures whose save had returned."""
    chance = random.Random(seed)
    next_index = 0
    for _ in range(kills):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            _save_on(root, next_index, tell)
        os.close(tell)
        first = os.read(told, 1)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        returned = first
        while more := os.read(told, 65536):
            returned += more
        os.close(told)
        next_index += len(returned)
    print(next_index)


def save_many(root: Path, data: str, count: int) -> None:
    """COUNT pictures into ROOT/outputs with an index of its own in ROOT/DATA."""
    gallery = open_gallery(root / data)
    for number in range(count):
        gallery.save(make_job(f"{data}-{number}"), 0, draw(side=16))
    gallery.close()


def save_while_swept(root: Path) -> None:
    """One save whose first temporary file disappears just before it gets its name, as when another
    server starts on the same folder and sweeps what it takes for leftovers."""
    gallery = open_gallery(root)
    swept: list[Path] = []

    def sweep(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.link" and not swept:
            swept.append(Path(arguments[0]))
            swept[0].unlink()

    sys.addaudithook(sweep)
    gallery.save(JOB, 0, draw())
    gallery.close()
    print(len(swept))


def _warm_up(root: Path) -> None:
    """Lets Pillow load its plug-ins, whose files would count too."""
    gallery = open_gallery(root)
    gallery.save(JOB, 0, draw())
    gallery.close()


def _die_at_event(number: int) -> None:
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in FILE_EVENTS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _save_on(root: Path, index: int, tell: int) -> None:
    gallery = open_gallery(root)
    while True:
        gallery.save(JOB, index, draw(index))
        os.write(tell, b".")
        index += 1


if __name__ == "__main__":
    what, where, *rest = sys.argv[1:]
    match what:
        case "every":
            kill_at_every_file_event(Path(where))
        case "random":
            kill_at_random(Path(where), int(rest[0]), int(rest[1]))
        case "swept":
            save_while_swept(Path(where))
        case "many":
            save_many(Path(where), rest[0], int(rest[1]))
