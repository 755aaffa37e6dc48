"""All models in one table, what is wrong with the rest, and the hashes that are being computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request

from webui.api.context import RawBody, the_caller, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.api.routes.cards import CardView, card_view
from webui.catalog.hashing import Hashing, alike_first
from webui.catalog.scan import Looking
from webui.catalog.table import Only, Order, Row, TableQuery, family_label
from webui.core.job import PersonId
from webui.core.model import ModelKind
from webui.core.person import Role
from webui.gate.access import Access, needs
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1/models", tags=["models"])


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A model with everything that is known of it. `missing` are the parts that a checkpoint
    lacks, `lacking` those of them that no file here brings; `better_home` the folder that it
    belongs into; `twins` are ids of files with the same contents, of `twin_count` the first."""

    card: CardView
    hash: str | None
    family_label: str
    variant: str
    missing: Sequence[str]
    lacking: Sequence[str]
    better_home: str
    pictures: int
    twins: Sequence[str]
    twin_count: int
    is_starter: bool


@dataclass(frozen=True, kw_only=True)
class FamilyView:
    """A family, and how many of the models found are of it."""

    id: str
    label: str
    count: int


@dataclass(frozen=True, kw_only=True)
class TableView:
    """Some of `total` rows, from `offset` on, of `total_bytes` together. `kinds` and `families`
    count what the search finds of each; `version` changes when models come, go or change."""

    rows: Sequence[RowView]
    offset: int
    total: int
    total_bytes: int
    kinds: Mapping[str, int]
    families: Sequence[FamilyView]
    version: int


@dataclass(frozen=True, kw_only=True)
class ProblemView:
    """A file that can't be used, and why. `folder` is the path below the models folder."""

    name: str
    folder: str
    why: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ProblemsView:
    """Some of `total` files that can't be used, from `offset` on."""

    problems: Sequence[ProblemView]
    offset: int
    total: int


@dataclass(frozen=True, kw_only=True)
class TwinView:
    """A file that has the contents of another one."""

    id: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class DuplicatesView:
    """Files of the same contents, the first of `total` groups, and how much room all but one file
    of each take."""

    groups: Sequence[Sequence[TwinView]]
    total: int
    spare_bytes: int


@dataclass(frozen=True, kw_only=True)
class WorkView:
    """What is being done with model files. `looking` and `hashing` are null when nothing is;
    `hashed` of `models` models have their hashes."""

    looking: Looking | None
    hashing: Hashing | None
    hashed: int
    models: int
    problems: int
    version: int


@dataclass(frozen=True, kw_only=True)
class HashWish:
    """Which hashes are wanted: all, or those of files that may be duplicates."""

    only_alike: bool = False


@ROUTER.get("/table")
@needs(Access.PERSON)
def list_rows(
    request: Request,
    search: Annotated[str, Query(max_length=200)] = "",
    kind: ModelKind | None = None,
    family: Annotated[str, Query(max_length=100)] = "",
    only: Only = Only.ALL,
    order: Order = Order.NAME,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> TableView:
    """The models of all kinds that a search finds, with everything known of each."""
    query = TableQuery(
        search=search,
        kind=kind,
        family=family,
        only=only,
        order=order,
        offset=offset,
        limit=limit,
    )
    studio = the_studio(request)
    page = studio.models.page(query, _whose(request))
    return TableView(
        rows=[_row_view(row) for row in page.rows],
        offset=offset,
        total=page.total,
        total_bytes=page.total_bytes,
        kinds=page.kinds,
        families=[
            FamilyView(id=id, label=family_label(id), count=count)
            for id, count in sorted(page.families.items())
        ],
        version=studio.catalog.version,
    )


@ROUTER.get("/row")
@needs(Access.PERSON)
def read_row(request: Request, id: Annotated[str, Query(max_length=1000)]) -> RowView:
    """One model with everything that is known of it."""
    return _row_view(the_studio(request).models.row(id, _whose(request)))


def _whose(request: Request) -> PersonId | None:
    """Whose pictures count: one's own; for the owner, who may remove models, everybody's."""
    caller = the_caller(request)
    return None if caller.role.covers(Role.OWNER) else caller.id


@ROUTER.get("/problems")
@needs(Access.PERSON)
def list_problems(
    request: Request,
    search: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> ProblemsView:
    """The files that can't be used, each with the reason."""
    words = search.casefold().split()
    found = [
        problem
        for problem in the_studio(request).catalog.problems()
        if all(word in f"{problem.id} {problem.why}".casefold() for word in words)
    ]
    return ProblemsView(
        problems=[
            ProblemView(
                name=problem.name,
                folder=problem.id.rpartition("/")[0],
                why=problem.why,
                size_bytes=problem.size_bytes,
            )
            for problem in found[offset : offset + limit]
        ],
        offset=offset,
        total=len(found),
    )


@ROUTER.get("/duplicates")
@needs(Access.PERSON)
def list_duplicates(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 60
) -> DuplicatesView:
    """Files of the same contents, as far as their hashes are known; the largest first."""
    groups = the_studio(request).models.duplicates()
    return DuplicatesView(
        groups=[
            [TwinView(id=model.id, size_bytes=model.size_bytes) for model in group]
            for group in groups[:limit]
        ],
        total=len(groups),
        spare_bytes=sum(model.size_bytes for group in groups for model in group[1:]),
    )


@ROUTER.get("/work")
@needs(Access.PERSON)
def read_work(request: Request) -> WorkView:
    """Whether folders are being looked through or hashes computed, and how far that is."""
    return _work(the_studio(request))


@ROUTER.post("/hashes")
@needs(Access.OWNER)
def compute_hashes(request: Request, wish: HashWish, body: RawBody) -> WorkView:
    """Compute the hashes that are not known yet, in the background, while no job runs."""
    refuse_unknown_fields(HashWish, body)
    studio = the_studio(request)
    models = [model for kind in ModelKind for model in studio.catalog.models(kind)]
    studio.hasher.start(alike_first(models, wish.only_alike))
    return _work(studio)


@ROUTER.delete("/hashes")
@needs(Access.OWNER)
def cancel_hashes(request: Request) -> WorkView:
    """Compute no more hashes; those that are known stay."""
    studio = the_studio(request)
    studio.hasher.cancel()
    return _work(studio)


def _work(studio: Studio) -> WorkView:
    models = [model for kind in ModelKind for model in studio.catalog.models(kind)]
    return WorkView(
        looking=studio.catalog.looking,
        hashing=studio.hasher.hashing,
        hashed=sum(model.hash is not None for model in models),
        models=len(models),
        problems=len(studio.catalog.problems()),
        version=studio.catalog.version,
    )


def _row_view(row: Row) -> RowView:
    model = row.card.model
    return RowView(
        card=card_view(row.card),
        hash=model.hash,
        family_label=family_label(model.family),
        variant=row.variant,
        missing=row.missing,
        lacking=row.lacking,
        better_home=row.better_home,
        pictures=row.pictures,
        twins=row.twins,
        twin_count=row.twin_count,
        is_starter=model.is_starter,
    )
