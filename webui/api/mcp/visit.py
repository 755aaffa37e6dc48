"""One call of a tool: who calls, what they may, and what they are shown."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from webui.api.following import end_soon, follow
from webui.api.mcp.views import JobFacts, PictureFacts, job_facts, picture_facts
from webui.api.openai.answers import SUFFIXES
from webui.api.openai.links import Links, Shown
from webui.core.codec import encode
from webui.core.errors import GessoError
from webui.core.events import JobProgress, Message
from webui.core.job import Job, JobState
from webui.core.person import CALLER, LOCAL_OWNER, Caller, Role
from webui.core.result import Picture
from webui.studio import Studio

LOOK_PIXELS: Final = 512
"""Along the longer side of what an agent is shown: models see no more, and pay for each pixel."""
MOST_LOOKS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A call on its way, with the request that brought it."""

    studio: Studio
    links: Links
    context: Context[Any, Any]

    @property
    def request(self) -> Request:
        """The HTTP request; the gate has let it in."""
        return cast("Request", self.context.request_context.request)

    @property
    def caller(self) -> Caller:
        """Who calls."""
        found: Caller = self.request.scope.get(CALLER, LOCAL_OWNER)
        return found

    def must_be_artist(self) -> None:
        """Raises ToolError for whoever may only look."""
        if not self.caller.role.covers(Role.ARTIST):
            raise ToolError(
                f"This key is for a {self.caller.role.value}, who makes no pictures. Ask the owner "
                "of the studio for a key with the role artist."
            )

    async def finished(self, job: Job, wait_s: float) -> Job:
        """As `looked_at`; the job ends when the call is cancelled: nobody asked for it but this."""
        try:
            return await self.looked_at(job, wait_s)
        except asyncio.CancelledError:
            end_soon(self.studio, job)
            raise

    async def looked_at(self, job: Job, wait_s: float) -> Job:
        """The job when it is over, or as it is after `wait_s`; its progress is reported."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._followed(job)
        except TimeoutError:
            return await run_in_threadpool(self.studio.jobs.get, job.id)

    async def _followed(self, job: Job) -> Job:
        async with aclosing(follow(self.studio, job)) as steps:
            async for _, messages in steps:
                await self._report(messages)
        return await run_in_threadpool(self.studio.jobs.get, job.id)

    async def _report(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(event := message.event, JobProgress):
                words = event.note or f"Step {event.step} of {event.steps}"
                await self.context.report_progress(event.fraction, 1.0, words)

    def answer(self, job: Job) -> CallToolResult:
        """What an agent is told of a job, with small versions of its pictures. Blocks."""
        pictures = self.studio.gallery.of_job(job.id)
        facts = job_facts(self.studio, job, [self.facts(picture) for picture in pictures])
        shown = [block for picture in pictures[:MOST_LOOKS] for block in self.blocks(picture)]
        text = TextContent(type="text", text=_told(facts))
        return CallToolResult(
            content=[text, *shown],
            structured_content=encode(facts),
            is_error=job.state is JobState.FAILED,
        )

    def facts(self, picture: Picture) -> PictureFacts:
        """A picture with an address that holds for an hour."""
        shown = Shown(picture_id=picture.id, format=_format(picture))
        url = self.request.url_for("read_linked_picture", token=self.links.make(shown))
        return picture_facts(picture, str(url))

    def blocks(self, picture: Picture) -> Sequence[ContentBlock]:
        """A small version of a picture, and the link to the whole. Blocks."""
        facts = self.facts(picture)
        link = ResourceLink(
            type="resource_link",
            uri=facts.resource,
            name=picture.path.name,
            title=f"{picture.width}x{picture.height}, seed {facts.seed}",
            mime_type=f"image/{_format(picture)}",
        )
        return [_look(picture), link]


@contextmanager
def in_words() -> Iterator[None]:
    """Errors of ours reach the agent in their own words."""
    try:
        yield
    except GessoError as error:
        raise ToolError(str(error)) from error


def _look(picture: Picture) -> ImageContent:
    with Image.open(picture.path) as image:
        small = image.convert("RGB")
    small.thumbnail((LOOK_PIXELS, LOOK_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return ImageContent(type="image", data=data, mime_type="image/jpeg")


def _format(picture: Picture) -> str:
    return SUFFIXES.get(picture.path.suffix.lower(), "png")


def _told(job: JobFacts) -> str:
    """A job in a line, for agents that read no structured answers."""
    match job.state:
        case "done":
            pictures = ", ".join(f"{p.picture_id} ({p.width}x{p.height})" for p in job.pictures)
            return f"Job {job.job_id} is done. Pictures: {pictures or 'none'}. {job.reason}".strip()
        case "failed" | "cancelled":
            return f"Job {job.job_id} {job.state}. {job.reason}".strip()
        case _:
            left = "" if job.seconds_left is None else f", about {job.seconds_left:.0f} s left"
            return (
                f"Job {job.job_id} is {job.state}: {job.fraction:.0%} done, {job.ahead} jobs ahead"
                f"{left}. Call job_status with this job_id to wait for it."
            )
