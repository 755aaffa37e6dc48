"""OpenAI's image API: its clients make pictures here without a change. See docs/api.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from webui.api.context import the_caller, the_links, the_studio
from webui.api.following import end_soon
from webui.api.idempotency import dedupe_key
from webui.api.leaving import while_connected
from webui.api.openai.answers import (
    ImagesResponse,
    OpenAIImage,
    as_base64,
    output_format,
    picture_bytes,
    quality,
    shown_as,
    usage,
    wants_links,
)
from webui.api.openai.asked import ImagesAsk, read_form, read_json
from webui.api.openai.description import FORM, GENERATION, STREAM_OR_JSON
from webui.api.openai.errors import OpenAIRoute, failed
from webui.api.openai.painting import edit, generate, vary
from webui.api.openai.streaming import Kind, as_events
from webui.api.waiting import until_over
from webui.core.codec import encode
from webui.core.errors import NotFound
from webui.core.job import Job, JobState, PersonId
from webui.gate.access import UPLOAD_BYTES, Access, needs
from webui.studio import Studio

ROUTER = APIRouter(prefix="/v1/images", tags=["openai"], route_class=OpenAIRoute)

IGNORED: Final = "X-Gesso-Ignored"
"""Names the parameters that have no meaning here."""
CLIENT_GONE: Final = 499
_UNSAFE: Final = re.compile(r"[^\w.\[\]-]", re.ASCII)

Submit = Callable[[Studio, ImagesAsk, PersonId, str | None], Job]


@ROUTER.post("/generations", responses=STREAM_OR_JSON, openapi_extra=GENERATION)
@needs(Access.ARTIST, is_stream=True)
async def create_images(request: Request) -> Response:
    """New pictures from a prompt; with `stream`, as server-sent events while they are made."""
    return await _made(request, await read_json(request), generate, "image_generation")


@ROUTER.post("/edits", responses=STREAM_OR_JSON, openapi_extra=FORM)
@needs(Access.ARTIST, is_stream=True, max_body_bytes=UPLOAD_BYTES)
async def edit_image(request: Request) -> Response:
    """A picture changed as the prompt says: where the mask is transparent, or all of it."""
    return await _made(request, await read_form(request), edit, "image_edit")


@ROUTER.post("/variations", responses=STREAM_OR_JSON, openapi_extra=FORM)
@needs(Access.ARTIST, is_stream=True, max_body_bytes=UPLOAD_BYTES)
async def vary_image(request: Request) -> Response:
    """Pictures like one that is sent."""
    return await _made(request, await read_form(request), vary, "image_edit")


@ROUTER.get("/files/{token}", response_class=Response)
@needs(Access.OPEN)
def read_linked_picture(request: Request, token: str) -> Response:
    """One picture, by an address that was handed out less than an hour ago."""
    studio, shown = the_studio(request), the_links(request).read(token)
    picture = studio.gallery.get(shown.picture_id)
    is_gone = picture.is_trashed or studio.people.roster.is_gone(picture.owner)
    if is_gone or not picture.path.is_file():
        raise NotFound("picture", picture.id)
    data, media_type = picture_bytes(studio, picture, shown)
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, no-store"})


async def _made(request: Request, ask: ImagesAsk, submit: Submit, kind: Kind) -> Response:
    """The answer, once the pictures are made. When the client goes before that, the job ends."""
    studio, person = the_studio(request), the_caller(request).id
    job = await run_in_threadpool(submit, studio, ask, person, dedupe_key(request))
    headers = {IGNORED: _named(ask.ignored)} if ask.ignored else {}
    if ask.query.stream:
        events = as_events(studio, job, ask.query, kind)
        headers["Cache-Control"] = "no-store"
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    try:
        job = await while_connected(request, until_over(studio, job.id))
    except ClientDisconnect:
        end_soon(studio, job)
        return Response(status_code=CLIENT_GONE)
    if job.state is not JobState.DONE:
        raise failed(job.reason or "The job was cancelled.")
    answer = await run_in_threadpool(_answer, request, ask, job)
    return JSONResponse(answer, HTTPStatus.OK, headers=headers)


def _named(parameters: Sequence[str]) -> str:
    """Names that a client made up, fit for a header."""
    return ", ".join(_UNSAFE.sub("?", name[:64]) for name in parameters[:20])


def _answer(request: Request, ask: ImagesAsk, job: Job) -> dict[str, Any]:
    studio, query = the_studio(request), ask.query
    pictures = studio.gallery.of_job(job.id)
    images = []
    for picture in pictures:
        shown, words = shown_as(picture, query), picture.recipe.prompt
        if wants_links(query):
            address = request.url_for("read_linked_picture", token=the_links(request).make(shown))
            images.append(OpenAIImage(url=str(address), revised_prompt=words))
        else:
            data, _ = picture_bytes(studio, picture, shown)
            images.append(OpenAIImage(b64_json=as_base64(data), revised_prompt=words))
    size = (pictures[0].width, pictures[0].height) if pictures else (0, 0)
    answer = ImagesResponse(
        created=int(job.finished_at or job.created_at),
        data=images,
        background="opaque",
        output_format=output_format(query),
        size=f"{size[0]}x{size[1]}",
        quality=None if quality(query) == "auto" else quality(query),
        usage=usage(job, pictures),
    )
    return cast("dict[str, Any]", _without_blanks(encode(answer)))


def _without_blanks(value: Any) -> Any:
    """Clients ask whether a field is there, not whether it is null."""
    if isinstance(value, dict):
        return {name: _without_blanks(part) for name, part in value.items() if part is not None}
    return [_without_blanks(part) for part in value] if isinstance(value, list) else value
