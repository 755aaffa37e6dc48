"""All models in one table: what each is, what it lacks, where it is used, and where it belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from webui.catalog import latents, text_encoders
from webui.catalog.cards import Card, Cards
from webui.catalog.catalog import Catalog
from webui.catalog.homes import better_home
from webui.catalog.widths import FAMILY_NAMES
from webui.core.job import PersonId
from webui.core.model import ModelInfo, ModelKind

TWINS_NAMED: Final = 3
VAE: Final = "vae"
PARTS: Final[Mapping[str, str]] = MappingProxyType({**text_encoders.LABELS, VAE: "VAE"})
"""What people call the parts that a checkpoint may lack."""


class Order(StrEnum):
    """The order of rows. By size, time and use the most come first."""

    NAME = "name"
    KIND = "kind"
    SIZE = "size"
    MODIFIED = "modified"
    USED = "used"


class Only(StrEnum):
    """Which models are wanted."""

    ALL = ""
    LACKING = "lacking"
    """Checkpoints that lack a part which no file here brings."""
    DUPLICATES = "duplicates"
    MISPLACED = "misplaced"
    UNUSED = "unused"


@dataclass(frozen=True, kw_only=True)
class TableQuery:
    """Which rows are asked for; `kind` None and `family` "" take all."""

    search: str = ""
    kind: ModelKind | None = None
    family: str = ""
    only: Only = Only.ALL
    order: Order = Order.NAME
    offset: int = 0
    limit: int = 60


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model with everything that is known of it. `variant` is in people's words; `missing` are
    the parts that a checkpoint lacks, and of those `lacking` the ones that no file here brings."""

    card: Card
    variant: str
    missing: Sequence[str]
    lacking: Sequence[str]
    better_home: str
    """The folder that it belongs into; empty where it is well off."""
    pictures: int
    """Made with it."""
    twins: Sequence[str]
    """Ids of files with the same contents, of many the first."""
    twin_count: int


@dataclass(frozen=True, kw_only=True)
class TablePage:
    """Some of `total` rows. `kinds` and `families` count what the search finds of each."""

    rows: Sequence[Row]
    total: int
    kinds: Mapping[str, int]
    families: Mapping[str, int]
    total_bytes: int
    """Of all rows that were found."""


class ModelTable:
    """The models of a catalog as rows. Usable from any thread."""

    def __init__(
        self,
        catalog: Catalog,
        cards: Cards,
        uses: Callable[[PersonId | None], Mapping[str, int]],
        latents: Mapping[str, str],
    ) -> None:
        """`uses` gives the number of a person's pictures, or of all, by hash and by id of a model,
        `latents` the variant
        of the VAEs that fit a family."""
        self._catalog: Final = catalog
        self._latents: Final = latents
        self._cards: Final = cards
        self._uses: Final = uses

    def page(self, query: TableQuery, person: PersonId | None = None) -> TablePage:
        """The rows that a query finds, with the number of a person's pictures, or of all."""
        facts = self._facts(person)
        found = [model for kind in ModelKind for model in self._cards.search(kind, query.search)]
        found = [model for model in found if facts.fits(model, query.only)]
        kinds = Counter(model.kind.value for model in found)
        found = [model for model in found if query.kind in (None, model.kind)]
        families = Counter(model.family for model in found if model.family)
        found = [model for model in found if query.family in ("", model.family)]
        found.sort(key=_KEYS[query.order](facts))
        shown = found[query.offset : query.offset + query.limit]
        return TablePage(
            rows=[self._row(model, facts) for model in shown],
            total=len(found),
            kinds=kinds,
            families=families,
            total_bytes=sum(model.size_bytes for model in found),
        )

    def row(self, id: str, person: PersonId | None = None) -> Row:
        """The row of the model with this id, as in `page`. Raises NotFound."""
        return self._row(self._catalog.get(id), self._facts(person))

    def duplicates(self) -> list[list[ModelInfo]]:
        """Files of the same contents, as far as their hashes are known; the largest first."""
        groups = self._facts(None).twins.values()
        return sorted(groups, key=lambda group: -group[0].size_bytes)

    def _facts(self, person: PersonId | None) -> _Facts:
        models = [model for kind in ModelKind for model in self._catalog.models(kind)]
        return _Facts(
            uses=self._uses(person),
            twins=_twins(models),
            brought=frozenset((model.kind, model.variant) for model in models),
            latents=self._latents,
        )

    def _row(self, model: ModelInfo, facts: _Facts) -> Row:
        twins = facts.twins.get(model.hash or "", [])
        return Row(
            card=self._cards.get(model.id),
            variant=variant_label(model),
            missing=[PARTS.get(part, part) for part in model.missing],
            lacking=[PARTS.get(part, part) for part in facts.lacking(model)],
            better_home="" if model.is_starter else better_home(model.kind, model.folder),
            pictures=facts.pictures(model),
            twins=[twin.id for twin in twins if twin.id != model.id][:TWINS_NAMED],
            twin_count=max(0, len(twins) - 1),
        )


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What is known of all models together."""

    uses: Mapping[str, int]
    twins: Mapping[str, list[ModelInfo]]
    brought: frozenset[tuple[ModelKind, str]]
    """The kinds and variants of all files."""
    latents: Mapping[str, str]

    def pictures(self, model: ModelInfo) -> int:
        """By contents where they are known: files move, and others take their places."""
        return self.uses.get(model.hash or model.id, 0)

    def lacking(self, model: ModelInfo) -> list[str]:
        return [part for part in model.missing if self._part(model, part) not in self.brought]

    def _part(self, model: ModelInfo, part: str) -> tuple[ModelKind, str]:
        """The kind and variant of a file that has a part for a model."""
        if part == VAE:
            return ModelKind.VAE, self.latents.get(model.family, "")
        return ModelKind.TEXT_ENCODER, part

    def fits(self, model: ModelInfo, only: Only) -> bool:
        match only:
            case Only.LACKING:
                return bool(self.lacking(model))
            case Only.DUPLICATES:
                return (model.hash or "") in self.twins
            case Only.MISPLACED:
                return not model.is_starter and bool(better_home(model.kind, model.folder))
            case Only.UNUSED:
                return not self.pictures(model)
        return True


def variant_label(model: ModelInfo) -> str:
    """Which of its kind a model is, as people say it; empty where nothing is to be said."""
    match model.kind:
        case ModelKind.TEXT_ENCODER:
            return text_encoders.LABELS.get(model.variant, model.variant)
        case ModelKind.VAE | ModelKind.PREVIEW:
            label = latents.LABELS.get(model.variant, model.variant)
            return f"for {label}" if label else ""
    return model.variant.replace("_", " ")


def family_label(family: str) -> str:
    """A family's short name."""
    return FAMILY_NAMES.get(family, family)


def _twins(models: Iterable[ModelInfo]) -> dict[str, list[ModelInfo]]:
    """Models of the same contents, by hash."""
    groups: dict[str, list[ModelInfo]] = {}
    for model in models:
        if model.hash:
            groups.setdefault(model.hash, []).append(model)
    return {hash: group for hash, group in groups.items() if len(group) > 1}


def _name_key(model: ModelInfo) -> tuple[object, ...]:
    return (model.is_starter, model.name.casefold(), model.id)


_KINDS: Final = tuple(ModelKind)
_KEYS: Final[Mapping[Order, Callable[[_Facts], Callable[[ModelInfo], Any]]]] = MappingProxyType(
    {
        Order.NAME: lambda _: _name_key,
        Order.KIND: lambda _: lambda m: (_KINDS.index(m.kind), m.family, *_name_key(m)),
        Order.SIZE: lambda _: lambda m: (-m.size_bytes, *_name_key(m)),
        Order.MODIFIED: lambda _: lambda m: (-m.modified, *_name_key(m)),
        Order.USED: lambda facts: lambda m: (-facts.pictures(m), *_name_key(m)),
    }
)
