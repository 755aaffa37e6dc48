"""A1111's API: enlarging finished pictures, and what pictures say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from webui.api.context import the_person, the_studio
from webui.api.leaving import while_connected
from webui.api.routes.sdapi_generation import CLIENT_GONE, IMAGE_BYTES, ignored_header
from webui.api.sdapi.desk import the_desk
from webui.api.sdapi.enlarging import Enlarger
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.extras import json_body, png_info
from webui.api.sdapi.fields import read_object
from webui.api.sdapi.pictures import read_base64
from webui.api.sdapi.router import SdapiRouter
from webui.gate.access import Access, needs

ROUTER = SdapiRouter()

NO_CAPTIONS: Final = (
    "Model not found: this studio has none that describes pictures. Write the prompt yourself, "
    "or read it with png-info."
)


@ROUTER.post("/extra-single-image")
@needs(Access.ARTIST, max_body_bytes=IMAGE_BYTES)
async def enlarge_one(request: Request) -> Response:
    """One picture, enlarged."""
    return await _enlarged(request, is_batch=False)


@ROUTER.post("/extra-batch-images")
@needs(Access.ARTIST, max_body_bytes=IMAGE_BYTES)
async def enlarge_many(request: Request) -> Response:
    """Several pictures, enlarged."""
    return await _enlarged(request, is_batch=True)


@ROUTER.post("/png-info")
@needs(Access.PERSON, max_body_bytes=IMAGE_BYTES)
async def read_png_info(request: Request) -> Response:
    """What a picture says of how it was made."""
    async with the_desk(request).room.body(request) as body:
        return Response(await run_in_threadpool(_png_info, body), media_type="application/json")


@ROUTER.get("/interrogate")
@needs(Access.PERSON)
def deny_describing() -> None:
    """Tells programs that look whether the route is there that it is not."""
    raise Refused(HTTPStatus.NOT_FOUND, NO_CAPTIONS)


@ROUTER.post("/interrogate")
@needs(Access.PERSON, max_body_bytes=IMAGE_BYTES)
async def describe(request: Request) -> Response:
    """A caption for a picture: there is no model for that here, which A1111 answers with 404."""
    async with the_desk(request).room.body(request) as body:
        asked = await run_in_threadpool(read_object, body)
    if not asked.get("image"):
        raise Refused(HTTPStatus.NOT_FOUND, "Image not found. Send one.")
    raise Refused(HTTPStatus.NOT_FOUND, NO_CAPTIONS)


async def _enlarged(request: Request, *, is_batch: bool) -> Response:
    desk = the_desk(request)
    enlarger = Enlarger(studio=the_studio(request), person=the_person(request), is_batch=is_batch)
    async with desk.room.body(request) as body:
        accepted = await run_in_threadpool(enlarger.accept, body)
    del body
    try:
        answer, made = await while_connected(request, enlarger.answer(accepted))
    except ClientDisconnect:
        return Response(status_code=CLIENT_GONE)
    return _delivered(enlarger, answer, made, accepted.ignored)


def _delivered(
    enlarger: Enlarger, answer: bytes, made: Sequence[str], ignored: Sequence[str]
) -> Response:
    return Response(
        answer,
        media_type="application/json",
        headers=ignored_header(ignored),
        background=BackgroundTask(enlarger.discard, made),
    )


def _png_info(body: bytes) -> bytes:
    image = read_object(body).get("image")
    if not isinstance(image, str) or not image.strip():
        return json_body({"info": "", "items": {}, "parameters": {}})
    return json_body(png_info(read_base64(image)))
