"""A1111's API: making pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect

from webui.api.context import the_person, the_studio
from webui.api.leaving import while_connected
from webui.api.sdapi.desk import the_desk
from webui.api.sdapi.fields import GenerationFields, ImageFields, TextFields
from webui.api.sdapi.making import Maker
from webui.api.sdapi.router import SdapiRouter
from webui.gate.access import MIB, Access, needs

ROUTER = SdapiRouter()

TEXT_BYTES: Final = 16 * MIB
IMAGE_BYTES: Final = 128 * MIB
CLIENT_GONE: Final = 499
"""Nobody reads it."""
IGNORED: Final = "X-Gesso-Ignored"
"""The header that names what a request said and that means nothing here."""
MOST_IGNORED: Final = 1000


@ROUTER.post("/txt2img")
@needs(Access.ARTIST, max_body_bytes=TEXT_BYTES)
async def text_to_image(request: Request) -> Response:
    """Pictures from words."""
    return await _made(request, TextFields)


@ROUTER.post("/img2img")
@needs(Access.ARTIST, max_body_bytes=IMAGE_BYTES)
async def image_to_image(request: Request) -> Response:
    """Pictures from pictures, or within a mask."""
    return await _made(request, ImageFields)


async def _made(request: Request, kind: type[GenerationFields]) -> Response:
    desk = the_desk(request)
    maker = Maker(studio=the_studio(request), desk=desk, person=the_person(request))
    async with desk.room.body(request) as body:
        accepted = await maker.make(kind, body)
    del body  # waiting takes minutes, and a body may be large
    try:
        answer = await while_connected(request, maker.answer(accepted))
    except ClientDisconnect:
        return Response(status_code=CLIENT_GONE)
    return Response(
        answer.body,
        media_type="application/json",
        headers=ignored_header(answer.ignored),
        background=BackgroundTask(maker.discard, answer.pictures),
    )


def ignored_header(ignored: Sequence[str]) -> dict[str, str]:
    """The header that tells what was ignored, if anything was."""
    if not ignored:
        return {}
    words = ", ".join(ignored).encode("ascii", "backslashreplace").decode("ascii")
    value = "".join(sign for sign in words if sign.isprintable())[:MOST_IGNORED]
    return {IGNORED: value.strip()}  # a header can't begin or end with a blank
