"""The models as cards: with pictures and notes that lie beside their files, as A1111 keeps them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from annotated_types import Ge, Le, MaxLen
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.api.caching import file_answer
from webui.api.context import RawBody, own_picture, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.catalog.cards import Card, CardQuery, Sort
from webui.core.errors import NotFound
from webui.core.model import ModelKind
from webui.gate.access import Access, needs
from webui.imaging.upload import open_upload

ROUTER = APIRouter(prefix="/api/v1/cards", tags=["models"])

LONGEST_SIDE: Final = 768
"""Of a picture that is put beside a model: enough to recognise it by."""
Words = Annotated[str, MaxLen(10_000)]
CheckpointId = Annotated[str, Query(max_length=1000)]
"""The checkpoint that cards are to be used with."""


@dataclass(frozen=True, kw_only=True)
class CardView:
    """A model with its notes. `prompt_name` is what a prompt calls it; `mismatch` says why it will
    not do with the checkpoint asked for; `preview` is the address of its picture, if it has one."""

    id: str
    name: str
    alias: str
    prompt_name: str
    kind: str
    family: str
    made_for: str
    mismatch: str
    folder: str
    size_bytes: int
    modified: float
    short_hash: str
    has_preview: bool
    preview: str | None
    is_editable: bool
    description: str
    sd_version: str
    activation_text: str
    preferred_weight: float
    negative_text: str
    notes: str
    vae: str


@dataclass(frozen=True, kw_only=True)
class FolderView:
    """A folder by its path below the models folder, and how many cards are in and below it."""

    path: str
    count: int


@dataclass(frozen=True, kw_only=True)
class CardPageView:
    """Some of `total` cards, from `offset` on. `folders` are all in which the search finds any; the
    first, "", holds all of them."""

    cards: Sequence[CardView]
    offset: int
    total: int
    folders: Sequence[FolderView]


@dataclass(frozen=True, kw_only=True)
class NotesEdit:
    """What to note of a model; what is left out stays as it is. `sd_version` is A1111's: SD1, SD2,
    SDXL, Unknown."""

    description: Words | None = None
    sd_version: Annotated[str, MaxLen(50)] | None = None
    activation_text: Words | None = None
    preferred_weight: Annotated[float, Ge(-100), Le(100)] | None = None
    negative_text: Words | None = None
    notes: Words | None = None
    vae: Annotated[str, MaxLen(500)] | None = None


@dataclass(frozen=True, kw_only=True)
class PictureChoice:
    """The id of a picture that was made here."""

    picture: str


@ROUTER.get("")
@needs(Access.PERSON)
def list_cards(
    request: Request,
    kind: ModelKind = ModelKind.LORA,
    search: Annotated[str, Query(max_length=200)] = "",
    folder: Annotated[str, Query(max_length=1000)] = "",
    sort: Sort = Sort.NAME,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
    checkpoint: CheckpointId = "",
    only_fitting: bool = False,
) -> CardPageView:
    """The cards of a kind that a search finds, in and below a folder."""
    query = CardQuery(
        kind=kind,
        search=search,
        folder=folder.strip("/"),
        sort=sort,
        offset=offset,
        limit=limit,
        checkpoint=checkpoint,
        only_fitting=only_fitting,
    )
    page = the_studio(request).cards.page(query)
    return CardPageView(
        cards=[card_view(card) for card in page.cards],
        offset=offset,
        total=page.total,
        folders=[FolderView(path=path, count=count) for path, count in page.folders.items()],
    )


@ROUTER.get("/{id:path}/preview", response_class=Response)
@needs(Access.PERSON)
def read_preview(request: Request, id: str) -> Response:
    """A small version of a card's picture: WebP."""
    studio = the_studio(request)
    picture = studio.cards.picture(id)
    tag = _tag(picture)
    try:
        small = studio.card_thumbnails.get(tag, lambda: open_upload(picture.read_bytes()))
    except OSError as error:
        raise NotFound("preview picture of", id) from error
    is_this = request.query_params.get("v") == tag
    return file_answer(request, small, "image/webp", tag, is_final=is_this)


@ROUTER.put("/{id:path}")
@needs(Access.OWNER)
def note(
    request: Request, id: str, edit: NotesEdit, body: RawBody, checkpoint: CheckpointId = ""
) -> CardView:
    """Change what is noted of a model, in the file beside it."""
    refuse_unknown_fields(NotesEdit, body)
    cards = the_studio(request).cards
    given = {field.name: getattr(edit, field.name) for field in fields(NotesEdit)}
    given["made_for"] = given.pop("sd_version")
    changes = {name: value for name, value in given.items() if value is not None}
    cards.note(id, replace(cards.get(id).notes, **changes))
    return card_view(cards.get(id, checkpoint))


@ROUTER.post("/{id:path}/preview")
@needs(Access.OWNER)
def choose_preview(
    request: Request, id: str, choice: PictureChoice, body: RawBody, checkpoint: CheckpointId = ""
) -> CardView:
    """Make a picture of one's own the picture of a card."""
    refuse_unknown_fields(PictureChoice, body)
    studio = the_studio(request)
    picture = own_picture(request, choice.picture)
    try:
        made = open_upload(picture.path.read_bytes())
    except OSError as error:
        raise NotFound("file of the picture", picture.path.name) from error
    studio.cards.show(id, _small_png(made, studio.infotext(picture.recipe)))
    return card_view(studio.cards.get(id, checkpoint))


def card_view(card: Card) -> CardView:
    """A card as it is shown."""
    model, notes = card.model, card.notes
    return CardView(
        id=model.id,
        name=model.name,
        alias=model.alias,
        prompt_name=card.prompt_name,
        kind=model.kind,
        family=model.family,
        made_for=card.made_for,
        mismatch=card.mismatch,
        folder=model.folder,
        size_bytes=model.size_bytes,
        modified=model.modified,
        short_hash=card.short_hash,
        has_preview=card.picture is not None,
        preview=_address(model.id, card.picture),
        is_editable=not model.is_starter,
        description=notes.description,
        sd_version=notes.made_for,
        activation_text=notes.activation_text,
        preferred_weight=notes.preferred_weight,
        negative_text=notes.negative_text,
        notes=notes.notes,
        vae=notes.vae,
    )


def _address(id: str, picture: Path | None) -> str | None:
    """Where the picture is; another address whenever it is another picture."""
    tag = _tag(picture) if picture else ""
    return f"/api/v1/cards/{quote(id)}/preview?v={tag}" if tag else None


def _tag(picture: Path) -> str:
    """Names a picture file as it is now; empty when it is gone."""
    try:
        stat = picture.stat()
    except OSError:
        return ""
    text = f"{picture}\n{stat.st_mtime_ns}\n{stat.st_size}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _small_png(picture: Image.Image, infotext: str) -> bytes:
    """The picture for a card, with the words that made it, as A1111 keeps them."""
    small = picture.convert("RGB")
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    texts, buffer = PngInfo(), io.BytesIO()
    texts.add_text("parameters", infotext)
    small.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()
