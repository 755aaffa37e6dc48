"""Waiting for a job without holding a thread: for programs that want pictures in the answer."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.concurrency import run_in_threadpool

from webui.core.events import Cancelled, Failed, Finished, Message
from webui.core.job import Job, JobId
from webui.studio import Studio

LOOK_S = 5.0
"""Looks at the table now and then even without an event: a job may have ended just before."""


async def until_over(studio: Studio, id: JobId) -> Job:
    """The job once it is done, failed or cancelled. Raises NotFound.

    Ending the wait (the client went away) leaves the job as it is.
    """
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()

    def watch(message: Message) -> None:
        if message.job_id == id and isinstance(message.event, Finished | Failed | Cancelled):
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(is_over.set)

    forget = studio.bus.subscribe(watch)
    try:
        while not (job := await run_in_threadpool(studio.jobs.get, id)).state.is_over:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), LOOK_S)
    finally:
        forget()
    return job
