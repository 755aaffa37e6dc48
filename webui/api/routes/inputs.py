"""Pictures that people put in: kept for jobs, or read for what they say of themselves."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from webui.api.caching import file_answer
from webui.api.context import RawBody, the_person, the_studio
from webui.api.views import InputView, ReadPictureView, ReadText, reading_view
from webui.core.errors import NotFound
from webui.core.request import InputId
from webui.gate.access import UPLOAD_BYTES, Access, needs
from webui.imaging.upload import media_type

ROUTER = APIRouter(prefix="/api/v1", tags=["inputs"])

SIGNATURE_BYTES = 16


@ROUTER.post("/inputs", status_code=HTTPStatus.CREATED)
@needs(Access.ARTIST, max_body_bytes=UPLOAD_BYTES)
def add_input(request: Request, data: RawBody) -> InputView:
    """Keep a picture for jobs. The body is the file itself: PNG, JPEG or WebP."""
    inputs = the_studio(request).inputs
    id = inputs.add(data, the_person(request))
    picture = inputs.open(id)
    return InputView(id=id, width=picture.width, height=picture.height)


@ROUTER.get("/inputs/{id}", response_class=Response)
@needs(Access.PERSON)
def read_input(request: Request, id: str) -> Response:
    """A picture that was put in, as it came."""
    inputs = the_studio(request).inputs
    path = inputs.path(InputId(id))
    if not inputs.is_of(InputId(id), the_person(request)):
        raise NotFound("uploaded picture", id)
    with path.open("rb") as file:
        kind = media_type(file.read(SIGNATURE_BYTES))
    return file_answer(request, path, kind, id, is_final=True)


@ROUTER.post("/read-picture")
@needs(Access.PERSON, max_body_bytes=UPLOAD_BYTES)
def read_picture(request: Request, data: RawBody) -> ReadPictureView:
    """What a picture file asks for, whichever program made it. It is not kept."""
    return reading_view(the_studio(request).read_picture(data, the_person(request)))


@ROUTER.post("/read-text")
@needs(Access.PERSON)
def read_text(request: Request, text: ReadText) -> ReadPictureView:
    """What a text in A1111's words asks for."""
    return reading_view(the_studio(request).read_text(text.text))
