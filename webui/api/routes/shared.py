"""What a link to an album shows, to whoever has it: a page of its own, and the pictures."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from webui.api.albums import (
    AlbumPage,
    album_page,
    linked_album,
    picture_answer,
    thumbnail_answer,
)
from webui.api.context import the_studio
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/shared/{token}", tags=["albums"])

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Shared album</title>
<link rel="icon" href="/assets/icon.png">
<link rel="stylesheet" href="/assets/shared.css">
</head>
<body>
<main id="album" aria-live="polite"><p>Loading…</p></main>
<script type="module" src="/assets/shared.js"></script>
</body>
</html>
"""
"""The same for every link: what it shows is fetched, so that nothing of a person's is in here."""


@ROUTER.get("", response_class=HTMLResponse, include_in_schema=False)
@needs(Access.OPEN, is_page=True)
def show_page(request: Request, token: str) -> HTMLResponse:
    """The page of a shared album."""
    return HTMLResponse(PAGE, headers={"Cache-Control": "no-store"})


@ROUTER.get("/album")
@needs(Access.OPEN)
def read_shared_album(
    request: Request,
    token: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> AlbumPage:
    """The album that the link shows, with its pictures."""
    studio = the_studio(request)
    album = linked_album(studio, token)
    address = f"/shared/{token}/pictures"
    return album_page(studio, album, address, offset, limit, is_mine=False)


@ROUTER.get("/pictures/{picture}", response_class=Response)
@needs(Access.OPEN, is_page=True)
def read_shared_file(request: Request, token: str, picture: str) -> Response:
    """The file of a picture in the album; without its recipe where the album shows none."""
    studio = the_studio(request)
    return picture_answer(request, studio, linked_album(studio, token), picture)


@ROUTER.get("/pictures/{picture}/thumbnail", response_class=Response)
@needs(Access.OPEN)
def read_shared_thumbnail(request: Request, token: str, picture: str) -> Response:
    """A small version of a picture in the album: WebP."""
    studio = the_studio(request)
    return thumbnail_answer(request, studio, linked_album(studio, token), picture)
