"""How a job ended: in the jobs table, and in words."""

from __future__ import annotations

import contextlib
import logging
from typing import Final

from webui.core.events import Cancelled, Failed, Finished, JobEvent, Queued
from webui.core.job import Job, JobState
from webui.extend.data import JobEnd, SavedImage, StopJob
from webui.jobs.album import Album
from webui.jobs.run import Outcome, Run
from webui.jobs.store import JobStore

log = logging.getLogger(__name__)

TROUBLE: Final = "Something went wrong inside Gesso:"
CANCELLED: Final = "The job was cancelled."
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


def tell_end(run: Run, job: Job, album: Album) -> None:
    """Let the job's extensions know that it is over."""
    with run.hooks_turn:
        if run.hooks.has("job_end"):
            pictures = [
                SavedImage(id=one.id, path=one.path, recipe=one.recipe, index=one.index)
                for one in album.of_job(job.id)
            ]
            reason = {JobState.CANCELLED: CANCELLED, JobState.FAILED: job.reason}
            end = JobEnd(
                id=job.id,
                request=job.request,
                pictures=pictures,
                reason=reason.get(job.state, ""),
            )
            with contextlib.suppress(StopJob):  # it is over already
                run.hooks.tell("job_end", end=end)


def in_a_line(error: Exception) -> str:
    """An error that nobody thought of."""
    return f"{type(error).__name__}: {error}. The log has the details."


def _pictures(job: Job) -> str:
    return "1 picture" if job.picture_count == 1 else f"{job.picture_count} pictures"
