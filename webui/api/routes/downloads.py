"""Fetching models: what lies at an address, downloads under way, tokens that are never shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from annotated_types import MaxLen
from fastapi import APIRouter, Request

from webui.api.context import RawBody, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.core.model import ModelKind
from webui.downloads.download import Download, Offer, Speed, Wish
from webui.downloads.downloads import SERVICES
from webui.downloads.replies import service_name
from webui.gate.access import Access, needs
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1/downloads", tags=["downloads"])


@dataclass(frozen=True, kw_only=True)
class Question:
    """An address or id, and a file of it if its header shall be looked at."""

    address: Annotated[str, MaxLen(4000)]
    file: Annotated[str, MaxLen(1000)] = ""


@dataclass(frozen=True, kw_only=True)
class FileView:
    """A file that may be fetched. `kind` and `label` say what it is as far as that is known,
    `problem` why it could not be used, `here` which file here has the same contents."""

    file: str
    name: str
    size_bytes: int | None
    sha256: str
    kind: ModelKind | None
    label: str
    problem: str
    here: str


@dataclass(frozen=True, kw_only=True)
class OfferView:
    """What lies at an address. `has_token` when one is kept for its source."""

    address: str
    title: str
    source: str
    licence: str
    page: str
    made_for: str
    is_gated: bool
    has_token: bool
    files: Sequence[FileView]


@dataclass(frozen=True, kw_only=True)
class DownloadView:
    """A download. `note` says why it waits or failed, or what is to be known of it; the path of
    the server's files stays there."""

    id: str
    address: str
    name: str
    source: str
    kind: ModelKind | None
    label: str
    state: str
    note: str
    sha256: str
    received_bytes: int
    total_bytes: int | None
    bytes_per_s: float
    seconds_left: float | None


@dataclass(frozen=True, kw_only=True)
class TokenView:
    """Whether a token is kept for a service, never the token. `host` is the only one that it is
    sent to."""

    service: str
    label: str
    host: str
    is_set: bool


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token; empty forgets the one that is kept."""

    token: Annotated[str, MaxLen(2000)]


@dataclass(frozen=True, kw_only=True)
class WishBody:
    """What to download."""

    address: Annotated[str, MaxLen(4000)]
    file: Annotated[str, MaxLen(1000)] = ""
    sha256: Annotated[str, MaxLen(200)] = ""
    kind: ModelKind | None = None


@ROUTER.get("")
@needs(Access.OWNER)
def list_downloads(request: Request) -> list[DownloadView]:
    """All downloads, the oldest first."""
    return [_view(download, speed) for download, speed in the_studio(request).downloads.all()]


@ROUTER.post("/look-up")
@needs(Access.OWNER)
def look_up(request: Request, question: Question, body: RawBody) -> OfferView:
    """What lies at an address or id; nothing of it is kept."""
    refuse_unknown_fields(Question, body)
    studio = the_studio(request)
    return _offer_view(studio, studio.downloads.look_up(question.address, question.file))


@ROUTER.post("", status_code=HTTPStatus.ACCEPTED)
@needs(Access.OWNER)
def add_download(request: Request, wish: WishBody, body: RawBody) -> DownloadView:
    """Fetch a model. It goes on whatever happens to the page or the server."""
    refuse_unknown_fields(WishBody, body)
    downloads = the_studio(request).downloads
    asked = Wish(address=wish.address, file=wish.file, sha256=wish.sha256, kind=wish.kind)
    return _view(*downloads.get(downloads.add(asked).id))


@ROUTER.get("/tokens")
@needs(Access.OWNER)
def list_tokens(request: Request) -> list[TokenView]:
    """For which services a token is kept."""
    return [_token_view(the_studio(request), service) for service in SERVICES]


@ROUTER.put("/tokens/{service}")
@needs(Access.OWNER)
def put_token(request: Request, service: str, token: Token, body: RawBody) -> TokenView:
    """Keep a token for a service. It can't be read again."""
    refuse_unknown_fields(Token, body)
    studio = the_studio(request)
    studio.downloads.tokens.put(studio.downloads.token_origin(service), token.token)
    return _token_view(studio, service)


@ROUTER.post("/{id}/pause")
@needs(Access.OWNER)
def pause_download(request: Request, id: str) -> DownloadView:
    """Stop a download for now. What came of it stays."""
    downloads = the_studio(request).downloads
    downloads.pause(id)
    return _view(*downloads.get(id))


@ROUTER.post("/{id}/resume")
@needs(Access.OWNER)
def resume_download(request: Request, id: str) -> DownloadView:
    """Go on with a download where it was left."""
    downloads = the_studio(request).downloads
    downloads.resume(id)
    return _view(*downloads.get(id))


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def remove_download(request: Request, id: str) -> None:
    """Cancel a download and remove what came of it, or forget one that is over."""
    the_studio(request).downloads.remove(id)


def _view(download: Download, speed: Speed) -> DownloadView:
    return DownloadView(
        id=download.id,
        address=download.address,
        name=download.name,
        source=service_name(download.source),
        kind=download.kind,
        label=download.label,
        state=download.state.value,
        note=download.note,
        sha256=download.sha256,
        received_bytes=download.received_bytes,
        total_bytes=download.total_bytes,
        bytes_per_s=speed.bytes_per_s,
        seconds_left=speed.seconds_left,
    )


def _offer_view(studio: Studio, offer: Offer) -> OfferView:
    return OfferView(
        address=offer.address,
        title=offer.title,
        source=service_name(offer.source),
        licence=offer.licence,
        page=offer.page,
        made_for=offer.made_for,
        is_gated=offer.is_gated,
        has_token=offer.source in SERVICES and _token_view(studio, offer.source).is_set,
        files=[
            FileView(
                file=file.path,
                name=file.name,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                kind=file.kind,
                label=file.label,
                problem=file.problem,
                here=file.here,
            )
            for file in offer.files
        ],
    )


def _token_view(studio: Studio, service: str) -> TokenView:
    origin = studio.downloads.token_origin(service)
    return TokenView(
        service=service,
        label=service_name(service),
        host=origin.partition("://")[2].removesuffix(":443"),
        is_set=bool(studio.downloads.tokens.get(origin)),
    )
