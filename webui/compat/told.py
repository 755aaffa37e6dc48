"""What the server tells the scripts of itself, in its own process and in the engine's: plain data.

It travels in `Legacy.options` under the name TOLD, beside the options that people set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import NotFound
from webui.core.model import ModelInfo, ModelKind

if TYPE_CHECKING:
    from webui.studio import Studio

TOLD: Final = "gesso"


def told_by(studio: Studio, extensions: Path) -> dict[str, Any]:
    """Folders, and the models that scripts list. `extensions` is the folder they lie in."""
    now, catalog = studio.settings.current, studio.catalog
    script = now.data / "a1111"
    return {
        "folders": {
            "data": str(script),
            "script": str(script),
            "models": str(now.models),
            "outputs": str(now.outputs),
            "extensions": str(extensions),
            "styles": str(now.data / "styles.csv"),
        },
        "checkpoints": [_model(studio, model) for model in catalog.models()],
        "checkpoint": _current(studio),
        "vaes": [_model(studio, model) for model in catalog.models(ModelKind.VAE)],
        "loras": [_model(studio, model) for model in catalog.models(ModelKind.LORA)],
        "embeddings": [_model(studio, model) for model in catalog.models(ModelKind.EMBEDDING)],
        "upscalers": [
            *({"name": each.label, "id": each.id, "path": ""} for each in _built_in(studio)),
            *(
                {"name": model.name, "id": model.id, "path": str(model.path)}
                for model in catalog.models(ModelKind.UPSCALER)
            ),
        ],
    }


def told_in(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was told, with the options beside it."""
    told = dict(options.get(TOLD) or {})
    told["options"] = {key: value for key, value in options.items() if key != TOLD}
    return told


def _current(studio: Studio) -> str:
    try:
        return studio.current_model().id
    except NotFound:  # the folders have not been looked through yet, or hold none
        return ""


def _built_in(studio: Studio) -> list[Any]:
    return [each for each in studio.upscalers if not each.is_latent]


def _model(studio: Studio, model: ModelInfo) -> dict[str, Any]:
    short = studio.catalog.known_short_hash(model) or ""
    return {
        "id": model.id,
        "name": model.name,
        "path": str(model.path),
        "hash": model.hash or "",
        "short": short,
        "family": model.family,
    }
