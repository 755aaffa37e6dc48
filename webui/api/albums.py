"""Albums as the API shows them, to whoever made them and to whoever may look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from webui.albums.album import Album, AlbumId
from webui.albums.albums import may_look, no_such_link
from webui.api.caching import file_answer
from webui.api.context import the_person, the_studio
from webui.core.errors import NotFound, UnreadablePicture
from webui.core.result import Picture
from webui.imaging.bare import bare_png
from webui.imaging.upload import media_type
from webui.studio import Studio

SIGNATURE_BYTES: Final = 16
PRIVATE: Final = "private, max-age=3600"
"""A link may be revoked: what it showed is not kept for ever."""


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """A picture in an album. `prompt` is empty where recipes are not shown."""

    id: str
    width: int
    height: int
    prompt: str
    url: str
    thumbnail: str


@dataclass(frozen=True, kw_only=True)
class AlbumView:
    """An album in a list. `cover` is the address of its first picture's thumbnail, if any."""

    id: str
    title: str
    is_mine: bool
    is_for_team: bool
    shows_recipes: bool
    created_at: float
    pictures: int
    cover: str | None


@dataclass(frozen=True, kw_only=True)
class AlbumPage:
    """An album with some of its pictures, in order; `next` is the offset of those that follow."""

    album: AlbumView
    pictures: Sequence[ShownPicture]
    next: int | None


def own_album(request: Request, id: str) -> Album:
    """An album of whoever asks. Raises NotFound, also for one of somebody else."""
    album = the_studio(request).albums.get(AlbumId(id))
    if album.owner != the_person(request):
        raise NotFound("album", id)
    return album


def seen_album(request: Request, id: str) -> Album:
    """An album that whoever asks may look at. Raises NotFound."""
    studio = the_studio(request)
    album = studio.albums.get(AlbumId(id))
    if not (may_look(album, the_person(request)) and is_shown(studio, album)):
        raise NotFound("album", id)
    return album


def linked_album(studio: Studio, token: str) -> Album:
    """The album that a link shows. Raises NotFound, all in the same words."""
    album = studio.albums.opened_by(token)
    if not is_shown(studio, album):
        raise no_such_link()
    return album


def is_shown(studio: Studio, album: Album) -> bool:
    """Whether an album may be seen at all: what removed people leave is shown to nobody."""
    return not studio.people.roster.is_gone(album.owner)


def album_view(studio: Studio, album: Album, address: str, *, is_mine: bool) -> AlbumView:
    """An album whose pictures are below `address`."""
    first = next(_pictures(studio, studio.albums.contents(album, limit=1).pictures), None)
    return AlbumView(
        id=album.id,
        title=album.title,
        is_mine=is_mine,
        is_for_team=album.is_for_team,
        shows_recipes=album.shows_recipes,
        created_at=album.created_at,
        pictures=studio.albums.size(album.id),
        cover=f"{address}/{first.id}/thumbnail" if first else None,
    )


def album_page(
    studio: Studio, album: Album, address: str, offset: int, limit: int, *, is_mine: bool
) -> AlbumPage:
    """Some pictures of an album, which are below `address`; those in the trash are left out."""
    contents = studio.albums.contents(album, offset, limit)
    return AlbumPage(
        album=album_view(studio, album, address, is_mine=is_mine),
        pictures=[
            ShownPicture(
                id=picture.id,
                width=picture.width,
                height=picture.height,
                prompt=picture.recipe.prompt if album.shows_recipes or is_mine else "",
                url=f"{address}/{picture.id}",
                thumbnail=f"{address}/{picture.id}/thumbnail",
            )
            for picture in _pictures(studio, contents.pictures)
        ],
        next=offset + limit if contents.total > offset + limit else None,
    )


def shown_picture(studio: Studio, album: Album, id: str) -> Picture:
    """A picture of an album. Raises NotFound, also for one in the trash."""
    picture = studio.gallery.get(id)
    if not studio.albums.holds(album.id, id) or picture.is_trashed or picture.owner != album.owner:
        raise NotFound("picture", id)
    return picture


def picture_answer(request: Request, studio: Studio, album: Album, id: str) -> Response:
    """The file of a picture of an album: as it is where the album shows recipes, else bare."""
    picture = shown_picture(studio, album, id)
    if not _is_inside(picture.path, studio):
        raise NotFound("picture", id)
    if album.shows_recipes:
        with picture.path.open("rb") as file:
            kind = media_type(file.read(SIGNATURE_BYTES))
        return file_answer(request, picture.path, kind, id, is_final=False)
    try:
        data = bare_png(picture.path)
    except (OSError, UnreadablePicture) as error:
        raise NotFound("file of the picture", id) from error
    return Response(data, media_type="image/png", headers={"Cache-Control": PRIVATE})


def thumbnail_answer(request: Request, studio: Studio, album: Album, id: str) -> Response:
    """A small version of a picture of an album: WebP, which carries no words."""
    path = studio.gallery.thumbnail(shown_picture(studio, album, id).id)
    return file_answer(request, path, "image/webp", f"{id}-small", is_final=False)


def _pictures(studio: Studio, ids: Sequence[str]) -> Iterator[Picture]:
    for id in ids:
        try:
            picture = studio.gallery.get(id)
        except NotFound:
            continue
        if not picture.is_trashed:
            yield picture


def _is_inside(path: Path, studio: Studio) -> bool:
    """Whether a file is there, and not a link out of the outputs folder."""
    folder = studio.settings.current.outputs
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())
