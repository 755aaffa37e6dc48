"""The files of pictures, by id only: no path of a client's ever reaches the disk.

Whatever lies on the disk under a picture's name, a browser is told that it is a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Request, Response

from webui.api.caching import file_answer
from webui.api.context import own_picture, the_studio
from webui.core.errors import NotFound
from webui.gate.access import Access, needs
from webui.studio import Studio

ROUTER = APIRouter(prefix="/pictures", tags=["files"])

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".webp": "image/webp",
    }
)


@ROUTER.get("/{id}", response_class=Response)
@needs(Access.PERSON, is_page=True)
def read_file(request: Request, id: str, download: bool = False) -> Response:
    """The picture's file; with `download=1` to be saved under its name."""
    picture = own_picture(request, id)
    media_type = MEDIA_TYPES.get(picture.path.suffix.lower())
    if media_type is None or not _is_inside(picture.path, the_studio(request)):
        raise NotFound("picture", id)
    name = picture.path.name if download else None
    return file_answer(request, picture.path, media_type, id, is_final=True, download_as=name)


@ROUTER.get("/{id}/thumbnail", response_class=Response)
@needs(Access.PERSON)
def read_thumbnail(request: Request, id: str) -> Response:
    """A small version of the picture: WebP."""
    path = the_studio(request).gallery.thumbnail(own_picture(request, id).id)
    return file_answer(request, path, "image/webp", f"{id}-small", is_final=True)


def _is_inside(path: Path, studio: Studio) -> bool:
    """Whether a file is there, and not a link out of the outputs folder."""
    folder = studio.settings.current.outputs
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())
