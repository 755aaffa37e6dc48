"""What hooks are given and give back: plain data, no live parts of the studio.

Fields are only ever added within one version of the API, so an extension goes on working.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest


class StopJob(Exception):
    """Raised by a hook to end the job on purpose; the text tells the person why."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Where a hook runs. `data` is the extension's own folder, made when it is first used."""

    extension: str
    settings: Mapping[str, Any]
    data: Path
    log: logging.Logger
    job: str = ""
    """The job's id; empty outside of jobs."""
    role: Role = Role.OWNER
    """Of the person whose job it is."""
    progress: Callable[[float, str], None] = lambda fraction, note: None
    """Say how far a long work is (0..1), and in a word what it is."""
    is_cancelled: Callable[[], bool] = lambda: False
    """Ask now and then during long work."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The prompts of one picture."""

    prompt: str
    negative_prompt: str
    seed: int
    index: int
    """Of the picture in its job, from 0."""


@dataclass(frozen=True, kw_only=True)
class ImageItem:
    """A picture on its way. `facts` are written into its text: name -> words."""

    image: Image.Image
    recipe: Recipe
    index: int
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SavedImage:
    """A picture on disk."""

    id: str
    path: Path
    recipe: Recipe
    index: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Pictures that are put into one: rows of `columns`."""

    images: Sequence[Image.Image]
    columns: int
    labels: Sequence[str] = ()


class Runner(Protocol):
    """Makes pictures for an extension that has taken a job over."""

    def generate(self, request: GenerationRequest) -> Iterator[ImageItem]:
        """The pictures of a request of its own, on the engine that the job has. Raises
        InvalidRequest."""
        ...

    def keep(self, image: Image.Image) -> str:
        """Put a picture in, so that a request can name it as its source or mask."""
        ...


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended. `reason` is empty when all went well."""

    id: str
    request: GenerationRequest
    pictures: Sequence[SavedImage]
    reason: str = ""
