"""Where new model files belong, and what they are: the catalog's side of downloads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from webui.catalog.catalog import Catalog
from webui.catalog.hashes import Hashes, look
from webui.catalog.homes import COMFYS, OURS
from webui.catalog.recognise import recognise
from webui.catalog.widths import FAMILY_NAMES
from webui.core.model import ModelFamily, ModelKind
from webui.core.shelf import Judged

LABELS: Final = (
    (ModelKind.CHECKPOINT, "Checkpoint"),
    (ModelKind.VAE, "VAE"),
    (ModelKind.LORA, "LoRA"),
    (ModelKind.EMBEDDING, "Embedding"),
    (ModelKind.UPSCALER, "Upscaler"),
    (ModelKind.PREVIEW, "Preview decoder"),
    (ModelKind.TEXT_ENCODER, "Text encoder"),
)


class CatalogShelf:
    """The folders of a catalog, for new files. Usable from any thread."""

    def __init__(self, catalog: Catalog, families: Iterable[ModelFamily]) -> None:
        self._catalog: Final = catalog
        self._families: Final[Sequence[ModelFamily]] = tuple(families)

    def home(self, kind: ModelKind | None) -> Path:
        """The folder for a kind: one that is there already, by whichever name."""
        if kind is None:
            return self._catalog.folder
        folders = [self._catalog.folder / name for name in (OURS[kind], *COMFYS[kind])]
        return next((folder for folder in folders if folder.is_dir()), folders[0])

    def judge(self, path: Path, kind: ModelKind | None) -> Judged:
        """What the file is, by its header."""
        found = recognise(path, [] if kind is None else [OURS[kind]], self._families)
        if not found.kind:
            problem = found.problem or f"“{path.name}” is nothing that this version has a use for."
            return Judged(kind=None, problem=problem)
        known = ModelKind(found.kind)
        family = FAMILY_NAMES.get(found.family, found.family)
        return Judged(kind=known, label=", ".join(filter(None, (dict(LABELS)[known], family))))

    def known(self, sha256: str) -> str:
        """The path of a file here with this hash, below the models folder if it lies there."""
        for path in self._catalog.hashes.matching(sha256) if sha256 else ():
            is_ours = path.is_relative_to(self._catalog.folder)
            return path.relative_to(self._catalog.folder).as_posix() if is_ours else path.name
        return ""

    def took(self, path: Path, sha256: str) -> None:
        """Keep the hash of a new file, which was computed already, and show the file."""
        self._catalog.hashes.keep(path, look(path).stamp, Hashes(whole=sha256))
        self._catalog.refresh_soon()
