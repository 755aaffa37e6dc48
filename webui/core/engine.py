"""The one protocol between the queue and whatever makes pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from webui.core.errors import InvalidRequest
from webui.core.events import EngineEvent
from webui.core.model import ModelInfo, ModelKind
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId


@dataclass(frozen=True, kw_only=True)
class UsedFile:
    """A model file that a recipe calls `ref`: a LoRA by its name in the prompt, others by id."""

    kind: ModelKind
    ref: str
    model: ModelInfo


@dataclass(frozen=True, kw_only=True)
class UsedExtension:
    """An extension that takes part in a batch in the engine. Its code is read from `file`, and read
    anew when `stamp` is another."""

    id: str
    name: str
    file: Path
    """engine.py of a folder, or the single file."""
    stamp: str
    data: Path
    inputs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Legacy:
    """Scripts written for AUTOMATIC1111 that take part in a batch: the whole job runs through
    them, in the engine's process. See webui/compat."""

    request: GenerationRequest
    folders: tuple[Path, ...]
    """Of the extensions that are on, in their order."""
    inputs: Mapping[str, Mapping[str, Any]]
    """Values of their controls, by script and control."""
    script: str | None
    """The one that takes the job over."""
    options: Mapping[str, Any]
    """What was set of `shared.opts`."""
    data: Path


@dataclass(frozen=True, kw_only=True)
class Work:
    """One batch: recipes that differ only in their seeds and prompts, and where the files they
    name are."""

    recipes: tuple[Recipe, ...]
    model: ModelInfo
    inputs: Mapping[InputId, Path]
    files: tuple[UsedFile, ...] = ()
    preview_every_s: float = 0.5
    """Seconds between previews; 0 switches them off."""
    is_exact: bool = False
    """Each picture alone and its two guesses apart, so that it is to the last bit what it would be
    without the others. Always so on a CPU."""
    extensions: tuple[UsedExtension, ...] = ()
    legacy: Legacy | None = None
    job: str = ""
    """The id of the job that it belongs to; only extensions are told."""
    role: Role = Role.OWNER
    """That of the person whose job it is."""

    def file(self, kind: ModelKind, ref: str, field: str) -> ModelInfo:
        """The file that the recipe calls `ref`. Raises InvalidRequest for `field`."""
        for used in self.files:
            if used.kind is kind and used.ref == ref:
                return used.model
        raise InvalidRequest(
            field, f"There is no {kind.value} “{ref}” on this server. Add it or choose another."
        )


class EngineState(StrEnum):
    """What an engine is doing."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    RESTARTING = "restarting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """An engine in a few words. `device` is its name for people ("NVIDIA RTX 4070", "CPU")."""

    id: str
    state: EngineState
    device: str
    detail: str = ""
    model: str = ""
    """The id of the model it holds, if any."""


class Engine(Protocol):
    """Makes pictures on one device. Used by one dispatcher thread; `status` by any thread."""

    id: str

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to get ready, and return at once; `on_change` is called when the status changes."""
        ...

    def generate(self, work: Work) -> Generator[EngineEvent, Work | None, None]:
        """Events of one batch, the last being its last ImageReady. Closing the generator cancels
        within one step. Waits until the engine is ready. Who gets an Ask sends back a Work, or
        throws InvalidRequest.

        Raises InvalidRequest or ModelUnreadable when this batch can't be made, EngineError when
        the engine failed at it: after that the engine gets itself ready again.
        """
        ...

    def expect(self, model: ModelInfo) -> None:
        """The model that is likely to be wanted next; an engine with nothing to do may get ready
        for it. Returns at once, and may be called from any thread, before `start` too."""
        ...

    def release(self) -> None:
        """Give back the memory of all models, as soon as no batch is at work. Returns at once; the
        status then names no model. From any thread."""
        ...

    def status(self) -> EngineStatus:
        """What the engine is doing now."""
        ...

    def close(self) -> None:
        """End the engine and everything it started; it can't be used again."""
        ...
