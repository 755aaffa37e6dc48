"""Waiting for a job without holding a thread: for programs that want pictures in the answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Annotated, Final

from fastapi import Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from webui.api.leaving import while_connected
from webui.core.events import Cancelled, Failed, Finished, Message
from webui.core.job import Job, JobId
from webui.studio import Studio

LOOK_S: Final = 5.0
"""Looks at the table now and then even without an event: a job may have ended just before."""
LONGEST_WAIT_S: Final = 600.0

WaitQuery = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job to be over."),
]
PreferHeader = Annotated[
    str, Header(max_length=200, description="`wait=30` asks for the same (RFC 7240).")
]
_PREFERRED: Final = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE | re.ASCII)


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


def wait_asked(response: Response, wait: float, prefer: str) -> float:
    """How many seconds a request is willing to wait, as it says in its query or in `Prefer`; the
    answer tells when that header counted."""
    found = _PREFERRED.search(prefer)
    if wait or found is None:
        return wait
    seconds = min(int(found[1]), int(LONGEST_WAIT_S))
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return float(seconds)


async def waited(request: Request, studio: Studio, job: Job, seconds: float) -> Job:
    """The job when it is over, or as it is after so many seconds. It goes on in any case."""
    if not seconds or job.state.is_over:
        return job
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        over = asyncio.wait_for(until_over(studio, job.id), seconds)
        return await while_connected(request, over)
    return await run_in_threadpool(studio.jobs.get, job.id)
