"""What everybody sees of one extension: where it is, what it is, how it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from webui.extend.inputs import Input
from webui.extend.manifest import Kind, Manifest


class Origin(StrEnum):
    """Where an extension comes from."""

    SHIPPED = "shipped"
    """It came with the program."""
    FOLDER = "folder"
    """Somebody put it into the extensions folder."""
    PACKAGE = "package"
    """A Python package with an entry point."""


class State(StrEnum):
    """How an extension is just now."""

    OFF = "off"
    ON = "on"
    HELD = "held"
    """Switched on, but kept off by safe mode, a flag or the search for a culprit."""
    UNFIT = "unfit"
    """Switched on, but it can't run here: another version, another system, a missing partner."""
    FAILED = "failed"
    """It could not be loaded, or failed so often that it was switched off."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One time that an extension failed. `traceback` is Python's text; `at` in seconds since
    1970."""

    hook: str
    message: str
    traceback: str
    at: float
    job: str = ""
    is_hang: bool = False
    """It did not come back in time: not asked a second time."""


@dataclass(frozen=True, kw_only=True)
class Extension:
    """One extension as it was when it was asked for. `folder` is its folder, or the folder that its
    single file lies in."""

    id: str
    name: str
    manifest: Manifest
    kind: Kind
    folder: Path
    file: Path | None = None
    """The single file of a script; None for a folder."""
    origin: Origin = Origin.FOLDER
    is_enabled: bool = False
    """Whether its owner wants it on."""
    state: State = State.OFF
    error: str = ""
    """Why it is not on, or what went wrong, in a sentence."""
    traceback: str = ""
    """Of the failure to load it."""
    inputs: tuple[Input, ...] = ()
    settings_inputs: tuple[Input, ...] = ()
    failures: tuple[Failure, ...] = ()
    """Since it was switched on, oldest first."""
    seconds: float = 0.0
    """Spent in its hooks since it was loaded."""
    hooks: frozenset[str] = frozenset()
    """Names of the hooks that it has, those of the engine too."""
    registered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of what it adds, by kind: "sampler", "schedule", "upscaler", "family" ..."""

    @property
    def is_on(self) -> bool:
        """Whether it is at work."""
        return self.state is State.ON

    def has_hook(self, name: str) -> bool:
        """Whether it has a hook of this name; known only while it is on."""
        return name in self.hooks
