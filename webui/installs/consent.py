"""Running an extension's install.py, once its owner has agreed to that: in a process of its own,
where asking pip for something asks our resolver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from webui.core.errors import GessoError, InvalidRequest
from webui.installs.install_script import read_arguments
from webui.installs.line import Line, Stopped

STAND_IN: Final = Path(__file__).with_name("consented")
TIMEOUT_S: Final = 900
KEPT_CHARACTERS: Final = 20_000
BOOT: Final = (
    "import os, runpy, sys; "
    "os.environ['GESSO_HEAR'], os.environ['GESSO_ASK'] = str(os.dup(0)), str(os.dup(1)); "
    "os.dup2(2, 1); os.dup2(os.open(os.devnull, os.O_RDONLY), 0); "
    "sys.argv = ['install.py']; runpy.run_path('install.py', run_name='__main__')"
)
"""The script's own input and output are not those on which the resolver is asked."""

Provide = Callable[[Sequence[str]], "Path | None"]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a script asked for, and what it said."""

    requirements: tuple[str, ...]
    output: str


def run_script(tree: Path, provide: Provide, roots: Sequence[Path], line: Line) -> Ran:
    """Run install.py of the extension in `tree`. `provide` gives the folder with all packages that
    it has asked for so far; the script may import from `roots`, too. Raises InvalidRequest if it
    fails, Stopped."""
    environment = dict(os.environ) | {
        "PYTHONPATH": os.pathsep.join(map(str, [STAND_IN, tree, *roots])),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", BOOT],
        cwd=tree,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    timer = threading.Timer(TIMEOUT_S, process.kill)
    timer.start()
    try:
        with process, line.ending(process.kill):
            return _attend(process, _Desk(tree=tree, provide=provide))
    finally:
        timer.cancel()


@dataclass
class _Desk:
    """Answers what a script asks."""

    tree: Path
    provide: Provide
    wanted: list[str] = field(default_factory=list)

    def answer(self, question: str) -> dict[str, Any]:
        """The folder of packages, or why they can't be had."""
        try:
            words = json.loads(question)["install"]
            asked = read_arguments(self.tree, [str(word) for word in words])
            folder = self.provide([*self.wanted, *asked])
        except Stopped:
            raise
        except GessoError as error:
            return {"error": str(error)}
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"{error}"}
        self.wanted += asked
        return {"folder": str(folder) if folder else ""}


def _attend(process: subprocess.Popen[str], desk: _Desk) -> Ran:
    told: list[str] = []
    ask, hear, say = process.stdout, process.stdin, process.stderr
    if ask is None or hear is None or say is None:
        raise InvalidRequest("runs_script", "install.py can't be heard. Try again.")
    reader = threading.Thread(target=_collect, args=(say, told), daemon=True)
    reader.start()
    for question in ask:
        try:
            hear.write(json.dumps(desk.answer(question)) + "\n")
            hear.flush()
        except OSError:  # it has ended without waiting for the answer
            break
        except Stopped:
            process.kill()
            raise
    process.wait()
    reader.join()
    output = "".join(told)[-KEPT_CHARACTERS:]
    if process.returncode:
        last = (output.strip().splitlines() or ["it said nothing"])[-1]
        raise InvalidRequest(
            "runs_script",
            f"install.py failed: {last[:300]}. Nothing was installed. Try it without running "
            "install.py.",
        )
    return Ran(requirements=tuple(dict.fromkeys(desk.wanted)), output=output)


def _collect(pipe: IO[str], told: list[str]) -> None:
    for row in pipe:
        told.append(row)
