"""Pictures that were made: list, look at, make again, trash and restore."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request

from webui.api.context import own_picture, the_person, the_studio
from webui.api.views import (
    JobView,
    PictureDetail,
    PicturePage,
    PictureView,
    job_view,
    picture_detail,
    picture_view,
)
from webui.core.request import Mode
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1/pictures", tags=["pictures"])


@ROUTER.get("")
@needs(Access.PERSON)
def list_pictures(
    request: Request,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
    mode: Mode | None = None,
    search: Annotated[str, Query(max_length=500)] = "",
    trashed: bool = False,
) -> PicturePage:
    """Pictures, newest first, that were made before the one named by `before`."""
    gallery = the_studio(request).gallery
    found = gallery.page(the_person(request), before, limit + 1, mode, search, trashed)
    shown = found[:limit]
    return PicturePage(
        pictures=[picture_view(picture) for picture in shown],
        next=shown[-1].id if len(found) > limit else None,
    )


@ROUTER.get("/{id}")
@needs(Access.PERSON)
def read_picture(request: Request, id: str) -> PictureDetail:
    """A picture with its recipe and infotext."""
    picture = own_picture(request, id)
    text = the_studio(request).infotext(picture.recipe, picture.facts)
    return picture_detail(picture, text)


@ROUTER.post("/{id}/again", status_code=HTTPStatus.ACCEPTED)
@needs(Access.ARTIST)
def make_again(request: Request, id: str) -> JobView:
    """A job that makes the picture again from its recipe: on a CPU the same pixels."""
    studio = the_studio(request)
    return job_view(studio, studio.remake(own_picture(request, id).id, the_person(request)))


@ROUTER.post("/{id}/verify", status_code=HTTPStatus.ACCEPTED)
@needs(Access.ARTIST)
def verify_picture(request: Request, id: str) -> JobView:
    """A job that makes the picture again and compares; its reason says what was found."""
    studio = the_studio(request)
    return job_view(studio, studio.verify(own_picture(request, id).id, the_person(request)))


@ROUTER.delete("/{id}")
@needs(Access.ARTIST)
def trash_picture(request: Request, id: str) -> PictureView:
    """Move a picture to the trash."""
    return picture_view(the_studio(request).gallery.trash(own_picture(request, id).id))


@ROUTER.post("/{id}/restore")
@needs(Access.ARTIST)
def restore_picture(request: Request, id: str) -> PictureView:
    """Take a picture out of the trash."""
    return picture_view(the_studio(request).gallery.restore(own_picture(request, id).id))
