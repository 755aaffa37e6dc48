"""From a file to a finding: reads as little as tells what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from webui.catalog.index import Finding
from webui.catalog.kinds import look_at
from webui.catalog.strangers import has_diffusion_model, stranger
from webui.core.errors import ModelUnreadable
from webui.core.model import Detected, ModelFamily, ModelKind
from webui.families.gguf_file import read_gguf_front
from webui.families.seen_header import seen_header
from webui.modelfiles.container import PICKLES, Container, container_of
from webui.modelfiles.front import read_front
from webui.modelfiles.header import Front

SAFETENSORS: Final = ".safetensors"
SHARD: Final = re.compile(r".+-(?P<number>\d{5})-of-(?P<total>\d{5})\.\w+")
"""How libraries call the files of a model that is too large for one."""
MAX_ALIAS: Final = 200


def recognise(path: Path, folders: Iterable[str], families: Sequence[ModelFamily]) -> Finding:
    """What the file or diffusers folder at `path` is. `folders` are the names of those it lies in,
    up to the models folder. Raises nothing: a file that can't be used is a finding too."""
    try:
        if path.is_dir():
            return _recognise_folder(path, families)
        return _recognise_file(path, tuple(folders), families)
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


def _recognise_file(path: Path, folders: Sequence[str], families: Sequence[ModelFamily]) -> Finding:
    """Whatever its name says: its first bytes decide how it is read. A pickle of something that
    nobody here has a use for concerns nobody: training leaves many of them behind."""
    if shard := SHARD.fullmatch(path.name):
        return _shard(path.name, int(shard["number"]), int(shard["total"]))
    container = container_of(path)
    if container is Container.GGUF:
        read = read_gguf_front(path)
        front = Front(tensors=read.tensors, metadata=read.metadata)
    else:
        front = read_front(path)
        if container is Container.SAFETENSORS:
            front = replace(front, tensors=seen_header(path, front.tensors))
    try:
        return _recognise_front(path.name, front, folders, families)
    except _Unknown:
        if container in PICKLES and not has_diffusion_model(front.tensors):
            return Finding()
        raise


def _shard(name: str, number: int, total: int) -> Finding:
    """One of several files of a model. The first speaks for all."""
    if number > 1:
        return Finding()
    raise ModelUnreadable(
        name,
        f"it is the first of {total} parts of one model. This version reads such parts only in "
        "diffusers folders, with their model_index.json. Look for the model in one file.",
    )


class _Unknown(ModelUnreadable):
    """Nothing is wrong with the file, but nothing here knows it."""


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
    if noun := stranger(front.tensors) or stranger(front.words):
        raise ModelUnreadable(name, _not_yet(noun))
    found = look_at(front.tensors, folders)
    if found is None:
        raise _Unknown(name, _unknown(front, families))
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
