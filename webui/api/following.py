"""Follows one job for a client that waits for it, without holding a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from starlette.concurrency import run_in_threadpool

from webui.api.event_stream import Feed
from webui.api.waiting import LOOK_S
from webui.core.events import Message
from webui.core.job import Job
from webui.studio import Studio


async def follow(studio: Studio, job: Job) -> AsyncGenerator[tuple[Job, Sequence[Message]]]:
    """The job as it is now, and what happened to it since the last time; at last when it is
    over."""
    feed = Feed(asyncio.get_running_loop())

    def watch(message: Message) -> None:
        if message.job_id == job.id:
            feed.offer(message)

    forget = studio.bus.subscribe(watch)
    messages: Sequence[Message] = ()
    try:
        while True:
            job = await run_in_threadpool(studio.jobs.get, job.id)
            yield job, messages
            if job.state.is_over:
                return
            messages = await feed.take(LOOK_S) or ()
    finally:
        forget()


def end_soon(studio: Studio, job: Job) -> None:
    """Cancel a job whose client has gone, if it is not over. Not awaited: this may be called
    while an answer is torn down."""
    cancel = partial(studio.cancel, job.id, job.owner)
    asyncio.get_running_loop().run_in_executor(None, cancel)
