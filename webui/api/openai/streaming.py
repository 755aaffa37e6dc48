"""A request's pictures as server-sent events while they are made, in OpenAI's shapes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Final, Literal

from starlette.concurrency import run_in_threadpool

from webui.api.following import end_soon, follow
from webui.api.openai.answers import (
    CompletedEvent,
    CompletedType,
    PartialImageEvent,
    PartialType,
    as_base64,
    converted,
    output_format,
    picture_bytes,
    quality,
    shown_as,
    usage,
)
from webui.api.openai.asked import ImagesQuery
from webui.api.openai.errors import OpenAIError, failed, told
from webui.core.codec import to_json
from webui.core.events import Message, PreviewReady
from webui.core.job import Job, JobState
from webui.core.result import Picture
from webui.studio import Studio

Kind = Literal["image_generation", "image_edit"]

COMPLETED: Final[Mapping[Kind, CompletedType]] = MappingProxyType(
    {"image_generation": "image_generation.completed", "image_edit": "image_edit.completed"}
)
PARTIAL: Final[Mapping[Kind, PartialType]] = MappingProxyType(
    {
        "image_generation": "image_generation.partial_image",
        "image_edit": "image_edit.partial_image",
    }
)


async def as_events(studio: Studio, job: Job, query: ImagesQuery, kind: Kind) -> AsyncIterator[str]:
    """The events of one job. When the client goes first, the job ends: nobody waits for it."""
    teller, now = Teller(studio, query, kind), job
    try:
        async with aclosing(follow(studio, job)) as steps:
            async for now, messages in steps:
                for event in await run_in_threadpool(teller.news, now, messages):
                    yield event
    finally:
        end_soon(studio, now)
    if now.state is not JobState.DONE:
        _, fault = told(failed(now.reason or "The job was cancelled."))
        yield f"event: error\ndata: {to_json(OpenAIError(error=fault))}\n\n"


class Teller:
    """Knows what one client has been told: finished pictures, and looks at the running one."""

    def __init__(self, studio: Studio, query: ImagesQuery, kind: Kind) -> None:
        self._studio: Final = studio
        self._query: Final = query
        self._kind: Final = kind
        self._pictures = 0
        self._looks: Counter[int] = Counter()

    def news(self, job: Job, messages: Sequence[Message]) -> list[str]:
        """The events since the last call. Reads files: not for the loop."""
        return [*self._new_looks(job, messages), *self._new_pictures(job)]

    def _new_pictures(self, job: Job) -> list[str]:
        pictures = self._studio.gallery.of_job(job.id)
        fresh = pictures[self._pictures :]
        self._pictures = len(pictures)
        return [self._completed(job, picture) for picture in fresh]

    def _completed(self, job: Job, picture: Picture) -> str:
        query = self._query
        data, _ = picture_bytes(self._studio, picture, shown_as(picture, query))
        event = CompletedEvent(
            type=COMPLETED[self._kind],
            b64_json=as_base64(data),
            background="opaque",
            created_at=int(picture.created_at),
            output_format=output_format(query),
            quality=quality(query),
            size=f"{picture.width}x{picture.height}",
            usage=usage(job, [picture]),
        )
        return f"event: {event.type}\ndata: {to_json(event)}\n\n"

    def _new_looks(self, job: Job, messages: Sequence[Message]) -> list[str]:
        """A look at the running picture, when it has come far enough for the next one."""
        wanted, live = self._query.partial_images or 0, self._studio.dispatcher.live(job.id)
        has_news = any(isinstance(message.event, PreviewReady) for message in messages)
        if not wanted or not has_news or live is None or not live.preview or not live.progress:
            return []
        done = live.progress.fraction * job.picture_count
        picture = min(int(done), job.picture_count - 1)
        sent = self._looks[picture]
        if sent >= wanted or done - picture < (sent + 1) / (wanted + 1):
            return []
        self._looks[picture] += 1
        return [self._partial(job, live.preview, sent)]

    def _partial(self, job: Job, preview: bytes, index: int) -> str:
        query = self._query
        event = PartialImageEvent(
            type=PARTIAL[self._kind],
            b64_json=as_base64(converted(preview, output_format(query))),
            background="opaque",
            created_at=int(time.time()),
            output_format=output_format(query),
            partial_image_index=index,
            quality=quality(query),
            size=f"{job.recipe.width}x{job.recipe.height}",
        )
        return f"event: {event.type}\ndata: {to_json(event)}\n\n"
