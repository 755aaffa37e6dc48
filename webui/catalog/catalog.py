"""The list of models the studio can use."""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.catalog.database import open_catalog
from webui.catalog.hashes import LEGACY_DIGITS, HashCache
from webui.catalog.index import FindingIndex
from webui.catalog.roots import MARK, OWN, Root
from webui.catalog.scan import Looking, Scanner, Seen
from webui.catalog.soon import Soon
from webui.catalog.walk import SUFFIXES, Place
from webui.core.errors import NotFound
from webui.core.model import ModelFamily, ModelInfo, ModelKind
from webui.core.recipe import FileRef
from webui.modelfiles.container import Container, container_of
from webui.modelfiles.header import read_front
from webui.modelfiles.shards import shards_of

log = logging.getLogger(__name__)

STARTER: Final = "starter"
SHIPPED: Final = Path(__file__).resolve().parents[2] / "models" / STARTER
LIBRARY_STEMS: Final = frozenset(
    stem + variant
    for variant in ("", ".fp16", ".bf16")
    for stem in (
        *("diffusion_pytorch_model", "pytorch_lora_weights", "pytorch_model", "model"),
        *("adapter_model", "learned_embeds"),
    )
)
"""What libraries call every file they write; its folder has the telling name."""
SNAPSHOTS: Final = "snapshots"
CACHED: Final = "models--"
HASH: Final = re.compile(r"[0-9a-f]{8,64}")
DEFAULT_PATIENCE_S: Final = 5.0
TITLE_HASH: Final = re.compile(r"^(?P<name>.+)\[[0-9a-fA-F]{8,64}\]$")
"""A1111 writes checkpoints as "folder/name.safetensors [0123456789]"."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file in models/ that can't be used, and why, for the person who put it there. `id` is
    the one that it would have as a model."""

    name: str
    why: str
    id: str = ""
    size_bytes: int = 0


class Catalog:
    """Models by kind and id, found below our own folder and those of other programs; the starter
    model that ships is always among them.

    Usable from any thread. `refresh` reads headers only, and those only once; hashes are computed
    when asked for. Ids of models in other programs' folders begin with "@" and the folder's name.
    """

    def __init__(
        self,
        folder: Path,
        database: Path,
        families: Iterable[ModelFamily],
        shipped: Path = SHIPPED,
        others: Callable[[], Sequence[Root]] = tuple,
    ) -> None:
        """`families` and `others`, the folders of other programs, are asked for at each refresh."""
        self.folder: Final = folder
        self._others: Final = others
        for_hashes, for_findings = open_catalog(database)
        self.hashes: Final = HashCache(for_hashes)
        self._index = FindingIndex(for_findings, families)
        self._scanner: Final = Scanner(index=self._index, families=families, shipped=shipped)
        self._soon: Final = Soon(self.refresh, "models")
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._is_closing = self._has_looked = False
        self._seen: Sequence[Seen] = ()
        self._models: Mapping[ModelKind, Mapping[str, ModelInfo]] = {}
        self._claims: Mapping[Path, str] = {}
        self._watchers: Final[list[Callable[[], None]]] = []
        self._problems: tuple[Problem, ...] = ()
        self.looking: Looking | None = None
        """How far a look is that found new files; None when none is under way."""
        self.version = 0
        """Changes with each refresh: what was worked out about the models may have changed."""

    def models(self, kind: ModelKind = ModelKind.CHECKPOINT) -> tuple[ModelInfo, ...]:
        """All usable models of a kind, by name, the starter model last."""
        return tuple(self._models.get(kind, {}).values())

    def problems(self) -> tuple[Problem, ...]:
        """The files that can't be used."""
        return self._problems

    def refresh(self) -> None:
        """Look again at what lies in the folders. Files that did not change are not opened."""
        with self._refreshing:
            if self._is_closing:
                return
            roots = (Root(path=self.folder), *self._others())
            for seen, looking in self._scanner.scan(roots, lambda: self._is_closing):
                self.looking = looking if looking.done < looking.total else None
                if not looking.total or looking.done or not self._has_looked:
                    self._show(seen, roots)
            if not self._has_looked:
                unusable = len(self._problems)
                log.info("%d model files, %d can't be used.", len(self._seen), unusable)
            self.looking, self._has_looked = None, True
        for watcher in self._watchers:
            watcher()

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after each refresh, in the thread that did it."""
        self._watchers.append(watcher)

    def refresh_soon(self, patience_s: float = 0.0) -> bool:
        """Refresh in the background, and wait for it so long; whether it is done. Models are there
        as soon as they are recognised."""
        return self._soon.wait(self._soon.ask(), patience_s)

    def show_hashes(self) -> None:
        """Let the models have the hashes that were computed since the last refresh."""
        with self._refreshing:
            self._show(self._seen, (Root(path=self.folder), *self._others()))

    def find(self, ref: str, kind: ModelKind = ModelKind.CHECKPOINT) -> ModelInfo:
        """The model of this kind with this id, name, alias or hash (at least 8 digits; with or
        without header, whole or shortened). Upper and lower case count only if two would be
        meant. Raises NotFound."""
        if found := self._named(ref, kind):  # a name may begin or end with a space
            return found
        ref = ref.strip()
        titled = TITLE_HASH.match(ref)
        if titled and (found := self._named(titled["name"].rstrip(), kind)):
            return found
        found = self._named(ref, kind) or self._hashed_as(ref.lower(), kind)
        if found is None and self._soon.is_running and not self._has_looked:
            self._soon.settle()  # it may be among what the first look has yet to find
            return self.find(ref, kind)
        if found is None:
            raise NotFound("model" if kind is ModelKind.CHECKPOINT else kind.value, ref)
        return found

    def look_up(self, kind: ModelKind, *refs: str | None) -> ModelInfo | None:
        """The model that the first of these means, each read as `find` reads it; None if none
        does."""
        for ref in filter(None, refs):
            try:
                return self.find(ref, kind)
            except NotFound:
                continue
        return None

    def get(self, id: str) -> ModelInfo:
        """The model with exactly this id, whatever its kind. Raises NotFound."""
        for models in self._models.values():
            if id in models:
                return models[id]
        if self._soon.is_running and not self._has_looked:
            self._soon.settle()
            return self.get(id)
        raise NotFound("model", id)

    def default(self, chosen: str = "", patience_s: float = DEFAULT_PATIENCE_S) -> ModelInfo:
        """The chosen model if it is there, else the newest real one, else the starter model.
        `patience_s`: how long one that isn't there is waited for while the folders are looked
        through."""
        if chosen and chosen not in self._models.get(ModelKind.CHECKPOINT, {}):
            self._soon.settle(patience_s)
        checkpoints = self._models.get(ModelKind.CHECKPOINT, {})
        if chosen and chosen in checkpoints:
            return checkpoints[chosen]
        real = [model for model in checkpoints.values() if not model.is_starter]
        if real:
            return max(real, key=lambda model: model.modified)
        if STARTER in checkpoints:
            return checkpoints[STARTER]
        raise NotFound("model", chosen or STARTER)

    def hashed(self, model: ModelInfo) -> ModelInfo:
        """The model with its hash, which is computed now if it is not known yet."""
        with self._lock:
            return replace(model, hash=self.hashes.compute(model.path))

    def short_hash(self, model: ModelInfo) -> str:
        """The hash that A1111 writes: 12 digits of a LoRA's weights alone, else 10 of the file."""
        if model.kind is ModelKind.LORA:
            with self._lock:
                return self.hashes.compute_body(model.path)[:12]
        return (self.hashed(model).hash or "")[:10]

    def known_short_hash(self, model: ModelInfo) -> str:
        """As `short_hash`, but nothing is read for it: empty if it is not known yet. What a LoRA
        says of itself will do."""
        if model.kind is not ModelKind.LORA:
            return (model.hash or "")[:10]
        try:
            known = self.hashes.known_body(model.path)
        except OSError:  # gone since the folder was looked through
            known = None
        return (known or self._claims.get(model.path, ""))[:12]

    def file_ref(self, kind: ModelKind, ref: str) -> FileRef:
        """What a recipe records of the file that it calls `ref`. Raises NotFound."""
        model = self.hashed(self.find(ref, kind))
        return FileRef(
            kind=kind,
            ref=ref,
            id=model.id,
            name=model.name,
            hash=model.hash or "",
            short_hash=self.short_hash(model),
        )

    def metadata(self, model: ModelInfo) -> Mapping[str, str]:
        """What the maker of a safetensors file wrote into it; empty for others. Anybody may have
        written anything there. Raises ModelUnreadable."""
        if model.path.is_dir() or container_of(model.path) is not Container.SAFETENSORS:
            return {}
        return read_front(model.path).metadata

    def close(self) -> None:
        """End what runs in the background and close the database."""
        self._is_closing = True
        self._soon.settle()
        with self._refreshing:
            self.hashes.close()
            self._index.close()

    def _show(self, seen: Sequence[Seen], roots: Sequence[Root]) -> None:
        """Make what was seen the list of models."""
        hashes = self.hashes.all()
        found = [
            _model(file, hashes.get(str(file.place.path))) for file in seen if file.finding.kind
        ]
        found.sort(key=lambda model: (model.is_starter, model.id.lower()))
        self._seen = seen
        self._models = {
            kind: {model.id: model for model in found if model.kind is kind} for kind in ModelKind
        }
        self._claims = {
            file.place.path: claim for file in seen if (claim := file.finding.claimed_hash)
        }
        self._problems = (*_missing(roots), *_problems(seen))
        self.version += 1

    def _named(self, ref: str, kind: ModelKind) -> ModelInfo | None:
        models = self._models.get(kind, {})
        if ref in models:
            return models[ref]
        for fold in (str, str.casefold, _loosely):
            for names in (_paths, _names, _aliases):
                for model in models.values():
                    if fold(ref) in map(fold, names(model)):
                        return model
        return None

    def _hashed_as(self, ref: str, kind: ModelKind) -> ModelInfo | None:
        """Hashes that were computed, then those that files claim of themselves, then A1111's old
        ones, of a few bytes each."""
        if not HASH.fullmatch(ref):
            return None
        by_path = {model.path: model for model in self.models(kind)}
        computed = self.hashes.matching(ref)
        claimed = [path for path, claim in self._claims.items() if claim.startswith(ref)]
        for path in (*computed, *claimed):
            if path in by_path:
                return by_path[path]
        if len(ref) == LEGACY_DIGITS and kind is ModelKind.CHECKPOINT:
            files = [model for model in by_path.values() if model.path.is_file()]
            return next((model for model in files if self.hashes.legacy(model.path) == ref), None)
        return None


def _model(seen: Seen, known: tuple[str, str] | None) -> ModelInfo:
    """What was seen as an entry of the catalog; `known` is the stamp that its hash is for, and the
    hash."""
    place, finding = seen.place, seen.finding
    path, parents = place.path, place.parents
    shards = shards_of(path)
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    stem = stem if shards is None else shards.stem
    return ModelInfo(
        id=_id(place),
        name=_name(stem, parents),
        kind=ModelKind(finding.kind),
        family=finding.family,
        path=path,
        size_bytes=seen.files.size_bytes,
        hash=known[1] if known is not None and known[0] == seen.files.stamp else None,
        is_starter=place.is_starter,
        folder="/".join(parents),
        modified=seen.files.modified,
        alias=finding.alias,
        variant=finding.variant,
        missing=finding.missing,
    )


def _name(stem: str, parents: Sequence[str]) -> str:
    """What a model is called. Libraries name the folder, not the file; in the cache of Hugging Face
    that is "models--maker--name/snapshots/<version>"."""
    if stem in LIBRARY_STEMS and parents:
        stem, parents = parents[-1], parents[:-1]
    if len(parents) > 1 and parents[-1] == SNAPSHOTS and parents[-2].startswith(CACHED):
        return parents[-2].rpartition("--")[2] or stem
    return stem


def _id(place: Place) -> str:
    return STARTER if place.is_starter else "/".join((*place.parents, place.path.name))


def _problems(seen: Iterable[Seen]) -> Iterator[Problem]:
    for file in seen:
        if why := file.finding.problem:
            id, size = _id(file.place), file.files.size_bytes
            yield Problem(name=file.place.path.name, why=why, id=id, size_bytes=size)


def _missing(roots: Iterable[Root]) -> Iterator[Problem]:
    for root in roots:
        if root.name != OWN and not root.is_there:
            yield Problem(
                name=root.name,
                why=f"The folder of models “{root.name}” is not there. Connect the disk that it "
                "is on, or change it in the settings.",
                id=MARK + root.name,
            )


def _loosely(name: str) -> str:
    """A name as it is typed: macOS writes é as two signs, and nobody sees a space at the end."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _paths(model: ModelInfo) -> tuple[str, ...]:
    """Names with the folder, of which there is only one each."""
    return (model.id, model.id.removesuffix(model.path.suffix))


def _names(model: ModelInfo) -> tuple[str, ...]:
    """A1111 calls files by their names, with or without ending and folder."""
    return (model.name, model.path.name, model.path.stem)


def _aliases(model: ModelInfo) -> tuple[str, ...]:
    return (model.alias,) if model.alias else ()
