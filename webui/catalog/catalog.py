"""The list of models the studio can use."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.catalog.hashes import HashCache, weight_files
from webui.catalog.header import read_header
from webui.core.errors import ModelUnreadable, NotFound
from webui.core.model import ModelFamily, ModelInfo, ModelKind

log = logging.getLogger(__name__)

STARTER: Final = "starter"
MAX_DEPTH: Final = 8
"""Folders below folders; a link that points back up ends here."""
SHIPPED: Final = Path(__file__).resolve().parents[2] / "models" / STARTER


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file in models/ that can't be used, and why, for the person who put it there."""

    name: str
    why: str


class Catalog:
    """Models by id, found below one folder; the starter model that ships is always among them.

    Usable from any thread. `refresh` reads headers only; hashes are computed when asked for.
    """

    def __init__(
        self, folder: Path, database: Path, families: Iterable[ModelFamily], shipped: Path = SHIPPED
    ) -> None:
        self.folder: Final = folder
        self._shipped = shipped
        self._families = tuple(families)
        self._hashes = HashCache(database)
        self._lock = threading.Lock()
        self._models: dict[str, ModelInfo] = {}
        self._problems: tuple[Problem, ...] = ()

    def models(self) -> tuple[ModelInfo, ...]:
        """All usable models, by name, the starter model last."""
        return tuple(self._models.values())

    def problems(self) -> tuple[Problem, ...]:
        """The files that can't be used."""
        return self._problems

    def refresh(self) -> None:
        """Look again at what lies in the folder."""
        found: list[ModelInfo] = []
        problems: list[Problem] = []
        for path in _candidates(self.folder, self._shipped):
            try:
                found.append(self._recognise(path))
            except ModelUnreadable as error:
                problems.append(Problem(name=error.name, why=str(error)))
                log.info("%s", error)
        found.sort(key=lambda model: (model.is_starter, model.id.lower()))
        self._models = {model.id: model for model in found}
        self._problems = tuple(problems)

    def find(self, ref: str) -> ModelInfo:
        """The model with this id, name, or hash (at least 8 digits). Raises NotFound."""
        if ref in self._models:
            return self._models[ref]
        by_name = [m for m in self.models() if ref in (m.name, m.path.name)]
        if by_name:
            return by_name[0]
        if len(ref) >= 8:
            for model in self.models():
                if (self._hashes.known(model.path) or "").startswith(ref.lower()):
                    return model
        raise NotFound("model", ref)

    def default(self, chosen: str = "") -> ModelInfo:
        """The chosen model if it is there, else the newest real one, else the starter model."""
        if chosen and chosen in self._models:
            return self._models[chosen]
        real = [model for model in self.models() if not model.is_starter]
        if real:
            return max(real, key=lambda model: model.path.stat().st_mtime)
        if STARTER in self._models:
            return self._models[STARTER]
        raise NotFound("model", chosen or STARTER)

    def hashed(self, model: ModelInfo) -> ModelInfo:
        """The model with its hash, which is computed now if it is not known yet."""
        with self._lock:
            return replace(model, hash=self._hashes.compute(model.path))

    def close(self) -> None:
        """Close the database."""
        self._hashes.close()

    def _recognise(self, path: Path) -> ModelInfo:
        is_starter = path == self._shipped
        return ModelInfo(
            id=STARTER if is_starter else path.relative_to(self.folder).as_posix(),
            name=path.stem if path.is_file() else path.name,
            kind=ModelKind.CHECKPOINT,
            family=self._family(path).id,
            path=path,
            size_bytes=sum(file.stat().st_size for file in weight_files(path)),
            hash=self._hashes.known(path),
            is_starter=is_starter,
        )

    def _family(self, path: Path) -> ModelFamily:
        if path.is_dir():
            try:
                index = json.loads((path / "model_index.json").read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise ModelUnreadable(path.name, "its model_index.json can't be read.") from error
            matches = [f for f in self._families if f.detect_folder(index)]
        else:
            header = read_header(path)
            matches = [f for f in self._families if f.detect(header)]
        if not matches:
            labels = ", ".join(family.label for family in self._families)
            raise ModelUnreadable(
                path.name, f"it is none of the kinds this version knows ({labels})."
            )
        return matches[0]


def _candidates(folder: Path, shipped: Path) -> Iterator[Path]:
    """Single files and diffusers folders below `folder`, and the shipped starter model."""
    if shipped.is_dir():
        yield shipped
    if folder.is_dir():
        yield from _below(folder, shipped)


def _below(folder: Path, shipped: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path == shipped or path.name.startswith("."):
            continue
        if path.is_file() and path.suffix.lower() == ".safetensors":
            yield path
        elif path.is_dir():
            if (path / "model_index.json").exists():
                yield path
            elif depth > 0:
                yield from _below(path, shipped, depth - 1)
