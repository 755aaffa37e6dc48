"""How detection asks the machine: outside commands and small files, recorded or for real.

Everything that depends on the machine goes through a `Probe`, so that the recording of one
machine (`launch.py doctor --record`) replays on any other.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

NOT_FOUND: Final = 127
TOO_SLOW: Final = 124
TIMEOUT_S: Final = 20
RECORDED_CHARACTERS: Final = 2000

_HEADING: Final = re.compile(r"^\$ (.+)$", re.MULTILINE)
_EXIT: Final = re.compile(r"^\[exit (\d+)\]\n?", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a command printed (both streams) and its exit code; 127 when it isn't there."""

    code: int
    text: str


class Probe(Protocol):
    """Asks one machine."""

    def run(self, *command: str) -> Output:
        """The output of an outside command."""
        ...

    def read(self, pattern: str) -> Mapping[str, str]:
        """Path and text of each readable file that a glob pattern matches, by path."""
        ...


class HostProbe:
    """Asks this machine."""

    def run(self, *command: str) -> Output:
        """The output of an outside command, given up after 20 seconds."""
        environment = os.environ | {"LC_ALL": "C"}
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                env=environment,
                check=False,
            )
        except OSError:
            return Output(code=NOT_FOUND, text="")
        except subprocess.TimeoutExpired:
            return Output(code=TOO_SLOW, text="")
        return Output(code=done.returncode, text=done.stdout.decode("utf-8", "replace"))

    def read(self, pattern: str) -> Mapping[str, str]:
        """Path and text of each readable file that a glob pattern matches, by path."""
        texts = {}
        for path in sorted(Path("/").glob(pattern.lstrip("/"))):
            try:
                texts[str(path)] = path.read_text("utf-8", "replace")
            except OSError:
                continue
        return texts


@dataclass(frozen=True, kw_only=True)
class RecordingProbe:
    """Asks another probe and keeps what was answered."""

    source: Probe
    answers: dict[str, Output] = field(default_factory=dict)

    def run(self, *command: str) -> Output:
        """The other probe's answer."""
        output = self.source.run(*command)
        self.answers[" ".join(command)] = output
        return output

    def read(self, pattern: str) -> Mapping[str, str]:
        """The other probe's answer."""
        texts = self.source.read(pattern)
        for path, text in texts.items():
            # the rest of /proc/cpuinfo says the same for each further core
            self.answers[f"cat {path}"] = Output(code=0, text=text[:RECORDED_CHARACTERS])
        return texts

    def text(self) -> str:
        """All that was answered, as `RecordedProbe.parse` reads it."""
        return "".join(
            f"$ {command}\n{output.text.rstrip()}\n[exit {output.code}]\n"
            for command, output in self.answers.items()
            if output.code != NOT_FOUND
        )


@dataclass(frozen=True, kw_only=True)
class RecordedProbe:
    """Answers as a recorded machine did; whatever wasn't recorded isn't there."""

    answers: Mapping[str, Output]

    @classmethod
    def parse(cls, recording: str) -> RecordedProbe:
        """From text of `$ command`, its output and an optional `[exit N]`, over and over."""
        _, *parts = _HEADING.split(recording)
        answers = {}
        for command, text in zip(parts[::2], parts[1::2], strict=True):
            code = _EXIT.search(text)
            answers[command] = Output(
                code=int(code[1]) if code else 0, text=_EXIT.sub("", text).lstrip("\n")
            )
        return cls(answers=answers)

    def run(self, *command: str) -> Output:
        """What the recorded machine answered."""
        return self.answers.get(" ".join(command), Output(code=NOT_FOUND, text=""))

    def read(self, pattern: str) -> Mapping[str, str]:
        """The recorded files that a glob pattern matches; a `*` stays within one folder."""
        wanted = re.compile(re.escape(f"cat {pattern}").replace(r"\*", "[^/]*"))
        return {
            command.removeprefix("cat "): output.text
            for command, output in self.answers.items()
            if wanted.fullmatch(command)
        }
