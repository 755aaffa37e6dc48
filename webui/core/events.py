"""What happens to a job, as data. Engines yield the first group; the dispatcher adds the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId


@dataclass(frozen=True, kw_only=True)
class Alive:
    """The engine is at work on something that has no steps; lets the caller notice a cancel."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """The engine reads a model before it can start. `note` says what it does with it where that is
    more than reading."""

    model: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`step` of `steps` of the batch is done; `step` 0 is sent when denoising begins.

    `note` says in words what is going on when it is not denoising ("Upscaling")."""

    step: int
    steps: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A rough look at the unfinished picture `index` of the batch: JPEG bytes."""

    index: int
    jpeg: bytes


@dataclass(frozen=True, kw_only=True)
class ImageReady:
    """Picture `index` of the batch is finished. RGB. `facts` says how the engine ran
    (device, precision, library versions): recorded with the picture, not needed to remake it."""

    index: int
    image: Image.Image
    facts: Mapping[str, str] = field(default_factory=dict)
    recipe: Recipe | None = None
    """How it was really made, where an extension in the engine changed that."""
    is_extra: bool = False
    """Made by an extension beside the pictures that were asked for; `index` counts these apart."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """An extension in the engine wants pictures of its own: whoever reads the events resolves the
    request and sends the work back. `pictures`: PNGs that the request names."""

    request: GenerationRequest
    pictures: Mapping[InputId, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Called:
    """An extension's hook ran in the engine. `error` is its traceback; empty when all went well."""

    extension: str
    hook: str
    seconds: float
    error: str = ""


EngineEvent = Alive | Loading | Progress | Preview | ImageReady | Ask | Called


@dataclass(frozen=True, kw_only=True)
class Queued:
    """The job is stored and will run, whatever happens to the page or the server."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """An engine took the job. `recovered` when an earlier attempt was cut short."""

    engine: str
    attempt: int
    recovered: bool


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """Progress of the whole job. `fraction` is 0..1; `seconds_left` None when not yet known.

    `note` says in words what is going on when there are no steps ("Loading starter").
    """

    fraction: float
    step: int
    steps: int
    picture: int
    pictures: int
    seconds_left: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PreviewReady:
    """A new preview of the running picture can be fetched; `version` grows with each."""

    version: int


@dataclass(frozen=True, kw_only=True)
class PictureSaved:
    """A finished picture is on disk, whole."""

    picture_id: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The queue can't go on for now; `reason` says why in words, for example a full disk."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All pictures are saved."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job ended without all its pictures; `reason` is fit for a person."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The person ended the job. Pictures that were finished stay."""


@dataclass(frozen=True, kw_only=True)
class EngineChanged:
    """An engine's state changed (starting, ready, restarting); not about a job."""

    engine: str


@dataclass(frozen=True, kw_only=True)
class QueueChanged:
    """The order of the queue or a pause was changed; not about a job."""


@dataclass(frozen=True, kw_only=True)
class ExtensionsChanged:
    """The set of extensions, or the state of one, changed; not about a job. `is_page` when open
    pages should be loaded again to show it."""

    is_page: bool = False


@dataclass(frozen=True, kw_only=True)
class DownloadChanged:
    """A download went on, or changed its `state` ("removed" when it is gone); not about a job.
    `total_bytes` and `seconds_left` are None when nobody knows."""

    download_id: str
    state: str
    received_bytes: int
    total_bytes: int | None
    bytes_per_s: float
    seconds_left: float | None


@dataclass(frozen=True, kw_only=True)
class InstallChanged:
    """The installation of an extension went on, or changed its `state`; not about a job."""

    task_id: str
    state: str
    fraction: float
    note: str


JobEvent = (
    Queued
    | Started
    | JobProgress
    | PreviewReady
    | PictureSaved
    | Waiting
    | Finished
    | Failed
    | Cancelled
    | EngineChanged
    | QueueChanged
    | DownloadChanged
    | ExtensionsChanged
    | InstallChanged
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One event on its way to whoever watches. `seq` grows by one for each message of this
    server's life; `job_id` and `owner` are empty when it is about no job."""

    seq: int
    job_id: str
    owner: str
    event: JobEvent
