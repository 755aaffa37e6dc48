"""What the queue needs of the studio so that extensions can take part in jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Called
from webui.core.job import Job
from webui.core.request import GenerationRequest, InputId
from webui.extend.calls import Calls
from webui.extend.job_hooks import JobHooks

Report = Callable[[float, str], None]
"""How far a hook is, 0..1, and in a word what it does."""
MakeHooks = Callable[[Job, Report, Callable[[], bool]], JobHooks]
"""The hooks of a job's extensions, which may report and ask whether it is cancelled."""
MakeWork = Callable[[Job, GenerationRequest, Mapping[InputId, bytes]], Work]
"""The work of a request that an extension makes within a job, with the pictures that it names, as
files. Raises InvalidRequest."""


def no_hooks(job: Job, report: Report, is_cancelled: Callable[[], bool]) -> JobHooks:
    """Of a server without extensions."""
    return JobHooks((), Calls(lambda loaded, failure: None))


def no_work(job: Job, request: GenerationRequest, pictures: Mapping[InputId, bytes]) -> Work:
    """Of a queue that makes no pictures for extensions. Raises InvalidRequest."""
    raise InvalidRequest("", "This queue makes no pictures for extensions. Use a studio's.")


def no_pictures(image: Image.Image, job: Job) -> InputId:
    """Of a queue that keeps none for extensions. Raises InvalidRequest."""
    raise InvalidRequest("", "This queue keeps no pictures for extensions. Use a studio's.")


@dataclass(frozen=True, kw_only=True)
class JobDoors:
    """By default there are no extensions."""

    hooks: MakeHooks = no_hooks
    report: Callable[[Called, Job], None] = lambda called, job: None
    """Books a call that ran in the engine."""
    work: MakeWork = no_work
    keep: Callable[[Image.Image, Job], InputId] = no_pictures
    """Puts a picture in for the job's person. Raises DiskFull."""
