"""Freeing room: pictures in the trash, and uploads that nothing needs, are deleted for good."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from webui.api.context import own_picture, the_person, the_studio
from webui.gallery.belongings import Uploads
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1", tags=["pictures"])


@dataclass(frozen=True, kw_only=True)
class EmptiedView:
    """How many pictures were deleted."""

    deleted: int


@ROUTER.delete("/trash")
@needs(Access.ARTIST)
def empty_trash(request: Request) -> EmptiedView:
    """Delete all of one's pictures that are in the trash for good."""
    return EmptiedView(deleted=the_studio(request).gallery.empty_trash(the_person(request)))


@ROUTER.delete("/trash/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.ARTIST)
def delete_picture(request: Request, id: str) -> Response:
    """Delete a picture that is in the trash for good."""
    the_studio(request).gallery.delete(own_picture(request, id).id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ROUTER.get("/unused-inputs")
@needs(Access.PERSON)
def count_unused_inputs(request: Request) -> Uploads:
    """How many of one's uploads are older than a day and named by no picture, job or plan of one's
    own."""
    return the_studio(request).belongings.unused(the_person(request))


@ROUTER.delete("/unused-inputs")
@needs(Access.ARTIST)
def delete_unused_inputs(request: Request) -> Uploads:
    """Delete those uploads; what was deleted."""
    return the_studio(request).belongings.delete_unused(the_person(request))
