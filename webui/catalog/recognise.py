"""From a file to a finding: reads as little as tells what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from webui.catalog.header import Front, read_front
from webui.catalog.index import Finding
from webui.catalog.kinds import family_of, is_refused_pickle, kind_of, kind_of_pickle
from webui.catalog.pickles import names_in
from webui.core.errors import ModelUnreadable
from webui.core.model import ModelFamily, ModelKind

SAFETENSORS: Final = ".safetensors"
MAX_ALIAS: Final = 200


def recognise(path: Path, folders: Iterable[str], families: Sequence[ModelFamily]) -> Finding:
    """What the file or diffusers folder at `path` is. `folders` are the names of those it lies in,
    up to the models folder. Raises nothing: a file that can't be used is a finding too."""
    try:
        if path.is_dir():
            family = _only(path.name, [f for f in families if f.detect_folder(_model_index(path))])
            return Finding(kind=ModelKind.CHECKPOINT, family=family.id)
        if path.suffix.lower() == SAFETENSORS:
            return _recognise_front(path.name, read_front(path), tuple(folders), families)
        return _recognise_pickle(path, tuple(folders))
    except ModelUnreadable as error:
        return Finding(problem=str(error))
    except OSError as error:
        return Finding(problem=str(ModelUnreadable(path.name, f"it can't be read ({error}).")))


def _recognise_front(
    name: str, front: Front, folders: Sequence[str], families: Sequence[ModelFamily]
) -> Finding:
    matches = [family for family in families if family.detect(front.tensors)]
    if matches:
        return Finding(kind=ModelKind.CHECKPOINT, family=matches[0].id)
    kind = kind_of(front.tensors, folders)
    if kind is None:
        raise ModelUnreadable(name, _unknown(families))
    return Finding(
        kind=kind,
        family=family_of(kind, front.tensors),
        alias=_said(front.metadata, "ss_output_name")[:MAX_ALIAS],
        claimed_hash=_said(front.metadata, "sshs_model_hash").lower()[:64],
    )


def _recognise_pickle(path: Path, folders: Sequence[str]) -> Finding:
    names = names_in(path)
    kind = kind_of_pickle(names, folders)
    if kind is not None:
        return Finding(kind=kind)
    if is_refused_pickle(names):
        raise ModelUnreadable(
            path.name,
            f"{path.suffix} files can run programs when they are opened. "
            "Look for a safetensors version of it, or convert it on a machine you don't mind.",
        )
    return Finding()


def _model_index(folder: Path) -> Mapping[str, object]:
    try:
        return dict(json.loads((folder / "model_index.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnreadable(folder.name, "its model_index.json can't be read.") from error


def _only(name: str, matches: Sequence[ModelFamily]) -> ModelFamily:
    if not matches:
        raise ModelUnreadable(name, "it is of a family that this version does not know.")
    return matches[0]


def _said(metadata: Mapping[str, str], key: str) -> str:
    text = metadata.get(key, "")
    return "" if text == "None" else text.strip()  # what trainers write for "nothing"


def _unknown(families: Iterable[ModelFamily]) -> str:
    labels = ", ".join(family.label for family in families)
    return (
        f"it is none of the kinds this version knows (checkpoints of {labels}; VAEs, LoRAs, "
        "embeddings, upscalers, preview decoders). Look for another version, or remove it."
    )
