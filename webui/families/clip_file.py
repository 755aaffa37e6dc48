"""CLIP text encoders: where one lies in a file, by which names, and its tokenizer.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.open_clip_layout import open_clip_names
from webui.families.weights import Piece, TensorFiles, build

if TYPE_CHECKING:
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
    )

Config = dict[str, Any]

TOKENIZER: Final = Path(__file__).parent / "configs" / "sd15" / "tokenizer"
"""Of all CLIPs; OpenCLIP's differ by what fills up a text."""
OPEN_CLIP_PAD: Final = "!"
"""Has the id 0."""

ROOT: Final = "embeddings.token_embedding.weight"
OPEN_CLIP_ROOT: Final = "token_embedding.weight"
PROJECTION: Final = "text_projection.weight"
PLACES: Final = "embeddings.position_embedding.weight"
LEVELS: Final = ("text_model.", "")
"""Some versions of transformers keep the layers one level deeper than others."""
FILE_STARTS: Final = (
    "",
    "transformer.",
    "model.",
    "clip_l.transformer.",
    "clip_g.transformer.",
    "clip_h.transformer.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_g.transformer.",
    "text_encoders.clip_h.transformer.",
    "cond_stage_model.transformer.",
    "cond_stage_model.model.",
    "conditioner.embedders.0.transformer.",
    "conditioner.embedders.0.model.",
    "conditioner.embedders.1.model.",
)
"""What may stand before a name in a text encoder's own file, or a checkpoint that lends its."""


@dataclass(frozen=True, kw_only=True)
class ClipNames:
    """Where a text encoder lies in a file, and by which names."""

    start: str
    level: str = ""
    is_open_clip: bool = False

    def of(self, keys: Collection[str], width: int) -> Mapping[str, str | Piece]:
        """The file's name of each key of a text encoder that is so wide."""
        if self.is_open_clip:
            return open_clip_names(keys, self.start, width)
        return {key: self._name(key) for key in keys}

    def _name(self, key: str) -> str:
        if key == PROJECTION:
            return self.start + key
        return self.start + self.level + key.removeprefix("text_model.")


def find_clip(names: Container[str], starts: Iterable[str]) -> ClipNames | None:
    """The text encoder that stands behind one of these starts; None if there is none."""
    for start in starts:
        for level in LEVELS:
            if start + level + ROOT in names:
                return ClipNames(start=start, level=level)
        if start + OPEN_CLIP_ROOT in names:
            return ClipNames(start=start, is_open_clip=True)
    return None


def load_clip(
    files: TensorFiles,
    config: Config,
    placement: Placement,
    starts: Iterable[str] = FILE_STARTS,
    *,
    has_projection: bool = False,
) -> CLIPTextModel | CLIPTextModelWithProjection:
    """The text encoder in `files`, of the model's configuration `config`. Raises ModelUnreadable.

    `has_projection`: also what makes the text as a whole.
    """
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    settings = CLIPTextConfig.from_dict(config)
    kind = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    model: CLIPTextModel | CLIPTextModelWithProjection = build(
        partial(kind, settings),
        partial(_names, files=files, starts=starts, settings=settings),
        files,
        placement,
    )
    # this buffer is in no file, so it is still without storage, if the model was not used before
    embeddings = getattr(model, "text_model", model).embeddings
    if embeddings.position_ids.is_meta:
        positions = torch.arange(settings.max_position_embeddings, device=placement.device)[None]
        embeddings.position_ids = positions
    return model


def load_tokenizer(name: str, folder: Path, pad: str | None = None) -> CLIPTokenizer:
    """The tokenizer in a folder, else the one that ships; `pad` fills up texts. `name` is the
    model's. Raises ModelUnreadable."""
    if not folder.is_dir() or folder == TOKENIZER:
        return _shipped(pad)
    try:
        return _read_tokenizer(folder, pad)
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnreadable(
            name, f"its tokenizer can't be read ({error}). Download the model again."
        ) from error


@cache  # the same for each model that is loaded; nobody changes it
def _shipped(pad: str | None) -> CLIPTokenizer:
    return _read_tokenizer(TOKENIZER, pad)


def _read_tokenizer(folder: Path, pad: str | None) -> CLIPTokenizer:
    from transformers import CLIPTokenizer

    given: Config = {} if pad is None else {"pad_token": pad}
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True, **given)


def _found(files: TensorFiles, starts: Iterable[str]) -> ClipNames:
    found = find_clip(files, starts)
    if found is None:
        raise ModelUnreadable(
            files.name,
            "it has no text encoder that this version knows. Choose a complete version of it.",
        )
    return found


def _names(
    keys: Collection[str], files: TensorFiles, starts: Iterable[str], settings: CLIPTextConfig
) -> Mapping[str, str | Piece]:
    """What each key is in the file. Long-CLIP has places for 248 tokens (Zhang et al. 2024; as
    transformers names them: huggingface.co/zer0int/LongCLIP-GmP-ViT-L-14); the first 77 are read,
    as of any CLIP."""
    names = dict(_found(files, starts).of(keys, width=settings.hidden_size))
    places = settings.max_position_embeddings
    for key, name in names.items():
        if key.endswith(PLACES) and isinstance(name, str) and name in files:
            rows, *_ = (*files.shape(name), 0)
            names[key] = Piece(name, 0, places) if rows > places else name
    return names
