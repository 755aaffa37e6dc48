"""How a job ended: in the jobs table, and in words."""

from __future__ import annotations

import logging
from typing import Final

from webui.core.events import Cancelled, Failed, Finished, JobEvent, Queued
from webui.core.job import Job
from webui.jobs.album import Album
from webui.jobs.run import Outcome, Run
from webui.jobs.store import JobStore

log = logging.getLogger(__name__)

TROUBLE: Final = "Something went wrong inside Gesso:"
GAVE_UP: Final = (
    "The engine stopped twice while making this picture, so it is not tried a third time."
)


def record(run: Run, store: JobStore, album: Album) -> tuple[Job, JobEvent]:
    """Write down how a job ended; the job, and what is told of it. Raises DiskFull."""
    id = run.job.id
    match run.verdict():
        case Outcome.MADE:
            seconds = run.seconds
            log.info("Job %s: %s made in %.1f s.", id, _pictures(run.job), seconds)
            return store.finish(id, seconds, album.remark(id)), Finished(seconds=seconds)
        case Outcome.CANCELLED:
            return store.cancel(id), Cancelled()
        case Outcome.FAILED:
            return store.fail(id, run.reason), Failed(reason=run.reason)
        case Outcome.RETRY:
            return store.requeue(id, counts=True), Queued()
        case Outcome.STOPPED:
            return store.requeue(id, counts=False), Queued()


def in_a_line(error: Exception) -> str:
    """An error that nobody thought of."""
    return f"{type(error).__name__}: {error}. The log has the details."


def _pictures(job: Job) -> str:
    return "1 picture" if job.picture_count == 1 else f"{job.picture_count} pictures"
