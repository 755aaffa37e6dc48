"""The checks and the test suite: what to run, in which order, and what it adds up to."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.launcher.progress import say
from webui.launcher.venv import Venv, clean_environment

CHECKS: Final = (
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "mypy")),
    (
        "imports",
        ("-c", "from importlinter.cli import lint_imports_command as run; run()"),
    ),
)
MOST_WORKERS: Final = 4
"""Each may hold a model and its libraries in memory."""
QUICK: Final = "not slow and not browser and not torch and not gpu"
USUAL: Final = "not slow and not gpu"
ALL: Final = "not gpu"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which tests to run, from the arguments of `launch.py test`."""

    is_quick: bool
    has_browser: bool
    marks: str
    arguments: tuple[str, ...]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> Selection:
        """Our own flags are taken out; pytest gets the rest."""
        own = {"--quick", "--all", "--no-browser"}
        marks = QUICK if "--quick" in arguments else ALL if "--all" in arguments else USUAL
        has_browser = "--no-browser" not in arguments and marks != QUICK
        if "--no-browser" in arguments and marks != QUICK:
            marks += " and not browser"
        return cls(
            is_quick=marks == QUICK,
            has_browser=has_browser,
            marks=marks,
            arguments=tuple(a for a in arguments if a not in own),
        )


def run_checks(venv: Venv, root: Path) -> int:
    """Run every check, one line for each that passes; the first failing exit code, or 0."""
    codes = [_check(venv, root, title, arguments) for title, arguments in CHECKS]
    return next((code for code in codes if code), 0)


def _check(venv: Venv, root: Path, title: str, arguments: Sequence[str]) -> int:
    started = time.monotonic()
    done = subprocess.run(
        [str(venv.python), *arguments],
        cwd=root,
        env=clean_environment(dict(os.environ)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    took = time.monotonic() - started
    say(f"• {title:8} {'failed' if done.returncode else 'good'} ({took:.1f} s)")
    if done.returncode:
        say(done.stdout.rstrip())
    return done.returncode


def run_tests(venv: Venv, root: Path, selection: Selection, environment: Mapping[str, str]) -> int:
    """Run pytest, whose closing line is the last thing printed; its first failing exit code, or 0.

    Whole sets run beside each other, a file at a time on each core; those that drive a browser come
    last and alone, because a busy machine is not what they are to show.
    """
    codes = []
    for arguments in rounds(selection, os.cpu_count() or 1):
        command = [str(venv.python), "-m", "pytest", *arguments]
        codes.append(subprocess.call(command, cwd=root, env=environment, stdin=subprocess.DEVNULL))
    return next((code for code in codes if code), 0)


def rounds(selection: Selection, cores: int) -> list[tuple[str, ...]]:
    """The arguments of each run of pytest. Those that somebody chose run in one, in order."""
    if selection.arguments:
        return [("-m", selection.marks, *selection.arguments)]
    beside = ("-n", str(min(cores, MOST_WORKERS)), "--dist", "loadfile")
    if not selection.has_browser:
        return [("-m", selection.marks, *beside)]
    return [
        ("-m", f"{selection.marks} and not browser", *beside),
        ("-m", f"{selection.marks} and browser"),
    ]
