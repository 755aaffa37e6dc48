"""The list of models the studio can use."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.catalog.database import open_catalog
from webui.catalog.hashes import LEGACY_DIGITS, HashCache, Look, legacy_hash, look
from webui.catalog.header import read_front
from webui.catalog.index import Finding, FindingIndex
from webui.catalog.recognise import SAFETENSORS, recognise
from webui.catalog.walk import SUFFIXES, model_files
from webui.core.errors import NotFound
from webui.core.model import ModelFamily, ModelInfo, ModelKind
from webui.core.recipe import FileRef

log = logging.getLogger(__name__)

STARTER: Final = "starter"
SHIPPED: Final = Path(__file__).resolve().parents[2] / "models" / STARTER
LIBRARY_STEMS: Final = frozenset({"diffusion_pytorch_model", "pytorch_lora_weights", "model"})
"""What libraries call every file they write; its folder has the telling name."""
HASH: Final = re.compile(r"[0-9a-f]{8,64}")
TITLE_HASH: Final = re.compile(r"^(?P<name>.+?)\s*\[[0-9a-fA-F]{8,64}\]$")
"""A1111 writes checkpoints as "folder/name.safetensors [0123456789]"."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file in models/ that can't be used, and why, for the person who put it there."""

    name: str
    why: str


class Catalog:
    """Models by kind and id, found below one folder; the starter model that ships is always among
    them.

    Usable from any thread. `refresh` reads headers only, and those only once; hashes are computed
    when asked for.
    """

    def __init__(
        self, folder: Path, database: Path, families: Iterable[ModelFamily], shipped: Path = SHIPPED
    ) -> None:
        self.folder: Final = folder
        self._shipped = shipped
        self._families = tuple(families)
        for_hashes, for_findings = open_catalog(database)
        self._hashes = HashCache(for_hashes)
        self._index = FindingIndex(for_findings, [family.id for family in self._families])
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._models: Mapping[ModelKind, Mapping[str, ModelInfo]] = {}
        self._claims: Mapping[Path, str] = {}
        self._problems: tuple[Problem, ...] = ()
        self.version = 0
        """Changes with each refresh: what was worked out about the models may have changed."""

    def models(self, kind: ModelKind = ModelKind.CHECKPOINT) -> tuple[ModelInfo, ...]:
        """All usable models of a kind, by name, the starter model last."""
        return tuple(self._models.get(kind, {}).values())

    def problems(self) -> tuple[Problem, ...]:
        """The files that can't be used."""
        return self._problems

    def refresh(self) -> None:
        """Look again at what lies in the folder. Files that did not change are not opened."""
        with self._refreshing:
            seen = self._look_around()
        hashes = self._hashes.all()
        found = [
            self._entry(file, hashes.get(str(file.path))) for file in seen if file.finding.kind
        ]
        found.sort(key=lambda model: (model.is_starter, model.id.lower()))
        self._models = {
            kind: {model.id: model for model in found if model.kind is kind} for kind in ModelKind
        }
        self._claims = {file.path: claim for file in seen if (claim := file.finding.claimed_hash)}
        self._problems = tuple(
            Problem(name=file.path.name, why=file.finding.problem)
            for file in seen
            if file.finding.problem
        )
        self.version += 1
        for problem in self._problems:
            log.info("%s", problem.why)

    def find(self, ref: str, kind: ModelKind = ModelKind.CHECKPOINT) -> ModelInfo:
        """The model of this kind with this id, name, alias or hash (at least 8 digits; with or
        without header, whole or shortened). Upper and lower case count only if two would be
        meant. Raises NotFound."""
        ref = ref.strip()
        if (titled := TITLE_HASH.match(ref)) and (found := self._named(titled["name"], kind)):
            return found
        found = self._named(ref, kind) or self._hashed_as(ref.lower(), kind)
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
        raise NotFound("model", id)

    def default(self, chosen: str = "") -> ModelInfo:
        """The chosen model if it is there, else the newest real one, else the starter model."""
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
            return replace(model, hash=self._hashes.compute(model.path))

    def short_hash(self, model: ModelInfo) -> str:
        """The hash that A1111 writes: 12 digits of a LoRA's weights alone, else 10 of the file."""
        if model.kind is ModelKind.LORA:
            with self._lock:
                return self._hashes.compute_body(model.path)[:12]
        return (self.hashed(model).hash or "")[:10]

    def known_short_hash(self, model: ModelInfo) -> str:
        """As `short_hash`, but nothing is read for it: empty if it is not known yet. What a LoRA
        says of itself will do."""
        if model.kind is not ModelKind.LORA:
            return (model.hash or "")[:10]
        try:
            known = self._hashes.known_body(model.path)
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
        if model.path.suffix.lower() != SAFETENSORS:
            return {}
        return read_front(model.path).metadata

    def close(self) -> None:
        """Close the database."""
        self._hashes.close()
        self._index.close()

    def _look_around(self) -> list[_Seen]:
        """All files as they are now; what is learnt of new ones is remembered."""
        known = self._index.all()
        seen: list[_Seen] = []
        fresh: dict[str, tuple[str, Finding]] = {}
        for path in model_files(self.folder, self._shipped):
            try:
                files = look(path)
            except OSError:
                continue  # gone since the folder was listed
            stamp, finding = known.get(str(path), ("", Finding()))
            if not stamp or stamp != files.stamp:
                finding = recognise(path, self._parents(path), self._families)
                fresh[str(path)] = (files.stamp, finding)
            seen.append(_Seen(path=path, files=files, finding=finding))
        self._index.change(fresh, known.keys() - {str(file.path) for file in seen})
        return seen

    def _entry(self, seen: _Seen, known: tuple[str, str] | None) -> ModelInfo:
        path, parents = seen.path, self._parents(seen.path)
        is_starter = path == self._shipped
        stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
        return ModelInfo(
            id=STARTER if is_starter else "/".join((*parents, path.name)),
            name=parents[-1] if stem in LIBRARY_STEMS and parents else stem,
            kind=ModelKind(seen.finding.kind),
            family=seen.finding.family,
            path=path,
            size_bytes=seen.files.size_bytes,
            hash=known[1] if known is not None and known[0] == seen.files.stamp else None,
            is_starter=is_starter,
            folder="/".join(parents),
            modified=seen.files.modified,
            alias=seen.finding.alias,
            variant=seen.finding.variant,
            missing=seen.finding.missing,
        )

    def _parents(self, path: Path) -> tuple[str, ...]:
        """The folders between the models folder and a file."""
        return () if path == self._shipped else path.relative_to(self.folder).parts[:-1]

    def _named(self, ref: str, kind: ModelKind) -> ModelInfo | None:
        models = self._models.get(kind, {})
        if ref in models:
            return models[ref]
        for fold in (str, str.casefold):
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
        computed = self._hashes.matching(ref)
        claimed = [path for path, claim in self._claims.items() if claim.startswith(ref)]
        for path in (*computed, *claimed):
            if path in by_path:
                return by_path[path]
        if len(ref) == LEGACY_DIGITS and kind is ModelKind.CHECKPOINT:
            files = [model for model in by_path.values() if model.path.is_file()]
            return next((model for model in files if legacy_hash(model.path) == ref), None)
        return None


@dataclass(frozen=True, kw_only=True)
class _Seen:
    path: Path
    files: Look
    finding: Finding


def _paths(model: ModelInfo) -> tuple[str, ...]:
    """Names with the folder, of which there is only one each."""
    return (model.id, model.id.removesuffix(model.path.suffix))


def _names(model: ModelInfo) -> tuple[str, ...]:
    """A1111 calls files by their names, with or without ending and folder."""
    return (model.name, model.path.name, model.path.stem)


def _aliases(model: ModelInfo) -> tuple[str, ...]:
    return (model.alias,) if model.alias else ()
