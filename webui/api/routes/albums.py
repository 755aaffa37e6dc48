"""Albums: pictures that are put together, and shown to the team or by a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from webui.albums.album import AlbumWish, Link, LinkId, LinkWish
from webui.api.albums import (
    AlbumPage,
    AlbumView,
    album_page,
    album_view,
    is_shown,
    own_album,
    picture_answer,
    seen_album,
    thumbnail_answer,
)
from webui.api.context import RawBody, own_picture, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1/albums", tags=["albums"])


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """A link to an album, without its secret."""

    id: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class NewLinkView(LinkView):
    """A link that was made just now: `path` on this server opens the album. Told only once."""

    path: str


@ROUTER.get("")
@needs(Access.PERSON)
def list_albums(request: Request) -> list[AlbumView]:
    """One's own albums, then those that others show to everyone; newest first."""
    studio, person = the_studio(request), the_person(request)
    mine = studio.albums.of(person)
    others = [album for album in studio.albums.for_team(person) if is_shown(studio, album)]
    return [
        album_view(studio, album, _address(album.id), is_mine=album.owner == person)
        for album in (*mine, *others)
    ]


@ROUTER.post("", status_code=HTTPStatus.CREATED)
@needs(Access.ARTIST)
def make_album(request: Request, wish: AlbumWish, body: RawBody) -> AlbumView:
    """A new, empty album."""
    refuse_unknown_fields(AlbumWish, body)
    studio = the_studio(request)
    album = studio.albums.create(wish, the_person(request))
    return album_view(studio, album, _address(album.id), is_mine=True)


@ROUTER.get("/{id}")
@needs(Access.PERSON)
def read_album(
    request: Request,
    id: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> AlbumPage:
    """An album with its pictures, in the order in which they were put in."""
    album, person = seen_album(request, id), the_person(request)
    is_mine = album.owner == person
    return album_page(the_studio(request), album, _address(id), offset, limit, is_mine=is_mine)


@ROUTER.put("/{id}")
@needs(Access.ARTIST)
def change_album(request: Request, id: str, wish: AlbumWish, body: RawBody) -> AlbumView:
    """Give an album another title, or show it to others."""
    refuse_unknown_fields(AlbumWish, body)
    studio = the_studio(request)
    album = studio.albums.change(own_album(request, id).id, wish)
    return album_view(studio, album, _address(id), is_mine=True)


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.ARTIST)
def remove_album(request: Request, id: str) -> None:
    """Forget an album and its links; the pictures stay where they are."""
    the_studio(request).albums.remove(own_album(request, id).id)


@ROUTER.put("/{id}/pictures/{picture}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.ARTIST)
def put_picture(request: Request, id: str, picture: str) -> None:
    """Put a picture of one's own into an album of one's own."""
    album = own_album(request, id)
    the_studio(request).albums.put(album.id, own_picture(request, picture).id)


@ROUTER.delete("/{id}/pictures/{picture}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.ARTIST)
def take_picture(request: Request, id: str, picture: str) -> None:
    """Take a picture out of an album."""
    the_studio(request).albums.take(own_album(request, id).id, picture)


@ROUTER.get("/{id}/pictures/{picture}", response_class=Response)
@needs(Access.PERSON, is_page=True)
def read_shown_file(request: Request, id: str, picture: str) -> Response:
    """The file of a picture in an album; without its recipe where the album shows none."""
    return picture_answer(request, the_studio(request), seen_album(request, id), picture)


@ROUTER.get("/{id}/pictures/{picture}/thumbnail", response_class=Response)
@needs(Access.PERSON)
def read_shown_thumbnail(request: Request, id: str, picture: str) -> Response:
    """A small version of a picture in an album: WebP."""
    return thumbnail_answer(request, the_studio(request), seen_album(request, id), picture)


@ROUTER.get("/{id}/links")
@needs(Access.ARTIST)
def list_links(request: Request, id: str) -> list[LinkView]:
    """The links to an album that are still good, newest first."""
    links: Sequence[Link] = the_studio(request).albums.links(own_album(request, id).id)
    return [LinkView(id=x.id, created_at=x.created_at, expires_at=x.expires_at) for x in links]


@ROUTER.post("/{id}/links", status_code=HTTPStatus.CREATED)
@needs(Access.ARTIST)
def make_link(request: Request, id: str, wish: LinkWish, body: RawBody) -> NewLinkView:
    """A link that shows the album to whoever has it, signed in or not, until it expires."""
    refuse_unknown_fields(LinkWish, body)
    made = the_studio(request).albums.link(own_album(request, id).id, wish.days)
    return NewLinkView(
        id=made.id,
        created_at=made.created_at,
        expires_at=made.expires_at,
        path=f"/shared/{made.token}",
    )


@ROUTER.delete("/{id}/links/{link}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.ARTIST)
def revoke_link(request: Request, id: str, link: str) -> None:
    """Make a link useless at once."""
    the_studio(request).albums.revoke(own_album(request, id).id, LinkId(link))


def _address(id: str) -> str:
    return f"/api/v1/albums/{id}/pictures"
