"""The studio's models, as the modules here see them. Not a module of A1111's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.gesso import side
from webui.core.errors import NotFound
from webui.core.model import ModelInfo, ModelKind

_TOLD = {
    ModelKind.CHECKPOINT: "checkpoints",
    ModelKind.VAE: "vaes",
    ModelKind.LORA: "loras",
    ModelKind.EMBEDDING: "embeddings",
}


def models(kind: ModelKind) -> list[ModelInfo]:
    """All models of a kind: the catalog's in the server's process; in the engine's those that the
    server told of, or at least the checkpoint of the job."""
    if side.studio is not None:
        return list(side.studio.catalog.models(kind))
    found = [_told(entry, kind) for entry in side.told.get(_TOLD.get(kind, ""), ())]
    if not found and kind is ModelKind.CHECKPOINT and side.model is not None:
        return [side.model]
    return found


def refresh() -> None:
    """Look through the folders again."""
    if side.studio is not None:
        side.studio.catalog.refresh()


def current() -> ModelInfo | None:
    """The checkpoint of the job, or the one that is chosen; None when there is none."""
    if side.studio is not None:
        try:
            return side.studio.current_model()  # type: ignore[no-any-return]
        except NotFound:
            return None
    if side.model is not None:
        return side.model  # type: ignore[no-any-return]
    known = models(ModelKind.CHECKPOINT)
    chosen = side.told.get("checkpoint", "")
    return next((model for model in known if model.id == chosen), known[0] if known else None)


def _told(entry: Any, kind: ModelKind) -> ModelInfo:
    return ModelInfo(
        id=entry["id"],
        name=entry["name"],
        kind=kind,
        family=entry.get("family", ""),
        path=Path(entry["path"]),
        size_bytes=0,
        hash=entry.get("hash") or None,
        variant=entry.get("variant", ""),
        alias=entry.get("alias", ""),
    )
