"""From a file to a finding: reads as little as tells what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from webui.catalog.header import LENGTH_BYTES, Front, read_front
from webui.catalog.index import Finding
from webui.catalog.kinds import is_refused_pickle, kind_of_pickle, look_at
from webui.catalog.pickles import names_in
from webui.catalog.strangers import has_diffusion_model, stranger
from webui.core.errors import ModelUnreadable
from webui.core.model import Detected, ModelFamily, ModelKind

SAFETENSORS: Final = ".safetensors"
PICKLES: Final = (".ckpt", ".pt", ".pth", ".bin")
PICKLE_STARTS: Final = (b"PK\x03\x04", b"\x80")
"""A zip archive, as torch saves since 1.6, or a bare pickle."""
GGUF_MAGIC: Final = b"GGUF"
MAX_ALIAS: Final = 200


def recognise(path: Path, folders: Iterable[str], families: Sequence[ModelFamily]) -> Finding:
    """What the file or diffusers folder at `path` is. `folders` are the names of those it lies in,
    up to the models folder. Raises nothing: a file that can't be used is a finding too."""
    try:
        if path.is_dir():
            return _recognise_folder(path, families)
        if is_pickle(path):
            return _recognise_pickle(path, tuple(folders))
        return _recognise_front(path.name, _read_front(path), tuple(folders), families)
    except ModelUnreadable as error:
        return Finding(problem=str(error))
    except OSError as error:
        return Finding(
            problem=str(
                ModelUnreadable(
                    path.name, f"it can't be read ({error.strerror or 'no reason given'})."
                )
            )
        )


def is_pickle(path: Path) -> bool:
    """Whether a file is to be read as a pickle. Its first bytes decide; its ending only where they
    say nothing. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(len(GGUF_MAGIC) + LENGTH_BYTES)
    if start.startswith(GGUF_MAGIC) or start[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{":
        return False
    return start.startswith(PICKLE_STARTS) or path.suffix.lower() in PICKLES


def _recognise_folder(path: Path, families: Sequence[ModelFamily]) -> Finding:
    index = _model_index(path)
    for family in families:
        if (told := family.detect_folder(index, path)) is not None:
            return _checkpoint(family, told)
    raise ModelUnreadable(path.name, "it is of a family that this version does not know.")


def _recognise_front(
    name: str, front: Front, folders: Sequence[str], families: Sequence[ModelFamily]
) -> Finding:
    for family in families:
        if (told := family.detect(front.tensors, front.metadata)) is not None:
            return _checkpoint(family, told)
    if noun := stranger(front.tensors):
        raise ModelUnreadable(name, _not_yet(noun))
    found = look_at(front.tensors, folders)
    if found is None:
        raise ModelUnreadable(name, _unknown(front, families))
    return Finding(
        kind=found.kind,
        family=found.family,
        variant=found.variant,
        alias=_said(front.metadata, "ss_output_name")[:MAX_ALIAS],
        claimed_hash=_said(front.metadata, "sshs_model_hash").lower()[:64],
    )


def _checkpoint(family: ModelFamily, told: Detected) -> Finding:
    return Finding(
        kind=ModelKind.CHECKPOINT, family=family.id, variant=told.variant, missing=told.missing
    )


def _read_front(path: Path) -> Front:
    with path.open("rb") as file:
        is_gguf = file.read(len(GGUF_MAGIC)) == GGUF_MAGIC
    if is_gguf:
        raise ModelUnreadable(path.name, "this version does not read GGUF files yet.")
    return read_front(path)


def _recognise_pickle(path: Path, folders: Sequence[str]) -> Finding:
    names = names_in(path)
    if noun := stranger(names):
        raise ModelUnreadable(path.name, _not_yet(noun))
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


def _said(metadata: Mapping[str, str], key: str) -> str:
    text = metadata.get(key, "")
    return "" if text == "None" else text.strip()  # what trainers write for "nothing"


def _not_yet(noun: str) -> str:
    return f"it is {noun}. This version can't use it yet; nothing is wrong with the file."


def _unknown(front: Front, families: Iterable[ModelFamily]) -> str:
    labels = ", ".join(family.label for family in families)
    if has_diffusion_model(front.tensors):
        said = _said(front.metadata, "modelspec.architecture")[:MAX_ALIAS]
        named = f" (its maker calls it “{said}”)" if said else ""
        return f"this version does not know the family of this model{named}. Known are {labels}."
    return (
        f"it is none of the kinds this version knows (checkpoints of {labels}; text encoders, "
        "VAEs, LoRAs, embeddings, upscalers, preview decoders). Look for another one, or remove it."
    )
