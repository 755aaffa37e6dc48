"""Models as cards: each with what people noted beside it, found by kind, folder and words.

Notes are read for the cards that are asked for. Only a search needs those of all files; they are
kept then, and looked at again after the next refresh of the catalog.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.catalog.catalog import Catalog
from webui.catalog.sidecar import (
    Sidecar,
    note_files,
    preview_path,
    read_sidecar,
    write_preview,
    write_sidecar,
)
from webui.catalog.widths import FAMILY_NAMES
from webui.core.errors import NotFound, NotPermitted
from webui.core.model import ModelInfo, ModelKind

NOTED: Final[Mapping[str, str]] = MappingProxyType({"SD1": "sd15", "SD2": "sd2", "SDXL": "sdxl"})
"""A1111's "sd version", which a person may set, as our families."""
FITTED_KINDS: Final = (ModelKind.LORA, ModelKind.EMBEDDING)
"""Kinds that do nothing good with a checkpoint of another family."""


class Sort(StrEnum):
    """The order of cards. By time the newest come first."""

    NAME = "name"
    PATH = "path"
    CREATED = "created"
    MODIFIED = "modified"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A model with its notes. `prompt_name` is what a prompt calls it; `made_for` a family's short
    name, empty where nothing tells."""

    model: ModelInfo
    notes: Sidecar
    picture: Path | None
    """What it looks like; None where nobody put a picture beside it."""
    prompt_name: str
    short_hash: str
    """As A1111 writes it; empty while it is not known."""
    made_for: str
    mismatch: str
    """Why it won't do with the checkpoint that was named; empty where it may."""


@dataclass(frozen=True, kw_only=True)
class CardQuery:
    """Which cards are asked for. `folder` holds those below it, too; `checkpoint` is the id of the
    one that they are to be used with."""

    kind: ModelKind
    search: str = ""
    folder: str = ""
    sort: Sort = Sort.NAME
    offset: int = 0
    limit: int = 60
    checkpoint: str = ""
    only_fitting: bool = False


@dataclass(frozen=True, kw_only=True)
class CardPage:
    """Some of `total` cards. `folders` counts, by folder, what the search finds in and below it; by
    "" all of it."""

    cards: Sequence[Card]
    total: int
    folders: Mapping[str, int]


class Cards:
    """The cards of a catalog. Usable from any thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog: Final = catalog
        self._shelves: dict[ModelKind, _Shelf] = {}
        self._notes: dict[Path, tuple[object, Sidecar]] = {}

    def page(self, query: CardQuery) -> CardPage:
        """The cards that a query finds. An unknown checkpoint fits everything."""
        shelf = self._shelf(query.kind)
        family = self._family_of(query.checkpoint)
        found = self._search(shelf, shelf.in_order(query.sort), query.search)
        if query.only_fitting:
            found = [m for m in found if not self._mismatch(m, self._kept_notes(m), family)]
        found = list(found)
        here = [m for m in found if _lies_in(m, query.folder)] if query.folder else found
        shown = here[query.offset : query.offset + query.limit]
        return CardPage(
            cards=[self._card(model, shelf, family) for model in shown],
            total=len(here),
            folders=_counts(found),
        )

    def search(self, kind: ModelKind, words: str) -> Sequence[ModelInfo]:
        """All models of a kind whose names or notes have these words; in no order."""
        shelf = self._shelf(kind)
        return self._search(shelf, shelf.models, words)

    def get(self, id: str, checkpoint: str = "") -> Card:
        """The card of the model with this id, to be used with a checkpoint. Raises NotFound."""
        model = self._catalog.get(id)
        return self._card(model, self._shelf(model.kind), self._family_of(checkpoint))

    def picture(self, id: str) -> Path:
        """The file that shows what a model does. Raises NotFound, also where there is none."""
        if (path := preview_path(self._catalog.get(id).path)) is None:
            raise NotFound("preview picture of", id)
        return path

    def note(self, id: str, notes: Sidecar) -> None:
        """Write these notes beside a model. Raises NotFound, NotPermitted for what ships with the
        program or lies where we can't write, and ModelUnreadable where damaged notes are."""
        model = self._writable(id)
        try:
            write_sidecar(model.path, notes)
        except OSError as error:
            raise _unwritten(model, error) from error
        self._shelves.pop(model.kind, None)

    def show(self, id: str, png: bytes) -> None:
        """Make this PNG file the picture of a model. Raises as `note`."""
        model = self._writable(id)
        try:
            write_preview(model.path, png)
        except OSError as error:
            raise _unwritten(model, error) from error

    def _writable(self, id: str) -> ModelInfo:
        model = self._catalog.get(id)
        if model.is_starter:
            raise NotPermitted("The starter model belongs to the program; its card stays as it is.")
        return model

    def _shelf(self, kind: ModelKind) -> _Shelf:
        """The models of a kind as the catalog found them last."""
        version = self._catalog.version
        shelf = self._shelves.get(kind)
        if shelf is None or shelf.version != version:
            shelf = self._shelves[kind] = _Shelf(version, self._catalog.models(kind))
        return shelf

    def _search(
        self, shelf: _Shelf, models: Sequence[ModelInfo], search: str
    ) -> Sequence[ModelInfo]:
        words = search.casefold().split()
        texts = self._texts(shelf) if words else {}
        return [m for m in models if all(word in texts[m.id] for word in words)]

    def _texts(self, shelf: _Shelf) -> Mapping[str, str]:
        """What a search looks through, by model id."""
        if shelf.texts is None:
            shelf.texts = {m.id: _text(m, self._read_notes(m)) for m in shelf.models}
        return shelf.texts

    def _read_notes(self, model: ModelInfo) -> Sidecar:
        """The notes beside a model, from memory if their files have not changed."""
        stamp = note_files(model.path)
        kept_stamp, kept = self._notes.get(model.path, (None, Sidecar()))
        if stamp != kept_stamp:
            kept = read_sidecar(model.path) if any(stamp) else Sidecar()
            self._notes[model.path] = (stamp, kept)
        return kept

    def _kept_notes(self, model: ModelInfo) -> Sidecar:
        """The notes as they were read last: a list of 10,000 is not worth as many looks."""
        kept = self._notes.get(model.path)
        return kept[1] if kept else self._read_notes(model)

    def _card(self, model: ModelInfo, shelf: _Shelf, family: str) -> Card:
        notes = self._read_notes(model)
        made_for = _family(model, notes)
        return Card(
            model=model,
            notes=notes,
            picture=preview_path(model.path),
            prompt_name=shelf.prompt_name(model),
            short_hash=self._catalog.known_short_hash(model),
            made_for=FAMILY_NAMES.get(made_for, made_for),
            mismatch=self._mismatch(model, notes, family),
        )

    def _family_of(self, checkpoint: str) -> str:
        try:
            return self._catalog.get(checkpoint).family if checkpoint else ""
        except NotFound:
            return ""

    def _mismatch(self, model: ModelInfo, notes: Sidecar, family: str) -> str:
        own = _family(model, notes)
        if model.kind not in FITTED_KINDS or not family or not own or own == family:
            return ""
        return f"made for {FAMILY_NAMES.get(own, own)}"


@dataclass
class _Shelf:
    """The models of one kind between two refreshes, and what was worked out about them."""

    version: int
    models: tuple[ModelInfo, ...]
    texts: Mapping[str, str] | None = None
    _orders: dict[Sort, list[ModelInfo]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = Counter(model.name.casefold() for model in self.models)

    def in_order(self, sort: Sort) -> list[ModelInfo]:
        """All of them; not to be changed."""
        if sort not in self._orders:
            is_by_time = sort in (Sort.CREATED, Sort.MODIFIED)
            self._orders[sort] = sorted(self.models, key=_KEYS[sort], reverse=is_by_time)
        return self._orders[sort]

    def prompt_name(self, model: ModelInfo) -> str:
        """The file's name where only one has it; a LoRA can be named with its folder, too."""
        if model.kind is not ModelKind.LORA or self._names[model.name.casefold()] == 1:
            return model.name
        return model.id.removesuffix(model.path.suffix)


def _created(model: ModelInfo) -> float:
    """When the file came to be, as far as the system knows, in seconds since 1970."""
    try:
        stat = model.path.stat()
    except OSError:
        return 0.0
    return float(getattr(stat, "st_birthtime", stat.st_ctime))


_KEYS: Final = MappingProxyType(
    {
        Sort.NAME: lambda model: (model.name.casefold(), model.id),
        Sort.PATH: lambda model: model.id.casefold(),
        Sort.CREATED: _created,
        Sort.MODIFIED: lambda model: model.modified,
    }
)


def _family(model: ModelInfo, notes: Sidecar) -> str:
    """What a person says it was made for goes before what the file tells, as in A1111."""
    return NOTED.get(notes.made_for, model.family)


def _text(model: ModelInfo, notes: Sidecar) -> str:
    family = FAMILY_NAMES.get(model.family, model.family)
    named = (model.id, model.name, model.alias, model.hash or "", family, model.variant)
    words = (notes.activation_text, notes.description, notes.notes)
    return "\n".join((*named, *words)).casefold()


def _lies_in(model: ModelInfo, folder: str) -> bool:
    return model.folder == folder or model.folder.startswith(f"{folder}/")


def _counts(models: Iterable[ModelInfo]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for folder, count in Counter(model.folder for model in models).items():
        parts = folder.split("/") if folder else []
        for depth in range(len(parts) + 1):
            counts["/".join(parts[:depth])] += count
    return dict(sorted(counts.items()))


def _unwritten(model: ModelInfo, error: OSError) -> NotPermitted:
    return NotPermitted(
        f"Nothing could be written beside “{model.name}” ({error.strerror or error}). "
        "See whether the folder may be written and the disk has room."
    )
