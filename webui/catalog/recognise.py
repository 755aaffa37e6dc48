"""From a file to a finding: reads as little as tells what it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.catalog.index import Finding
from webui.catalog.kinds import look_at
from webui.catalog.strangers import has_diffusion_model, other_part, stranger
from webui.core.errors import ModelUnreadable
from webui.core.model import Detected, ModelFamily, ModelKind
from webui.families.dit_family import TransformerFamily
from webui.families.gguf_file import read_gguf_front
from webui.families.seen_header import seen_header
from webui.families.told import UNFINISHED, said_beside, unfinished_beside
from webui.modelfiles.container import PICKLES, Container, container_of
from webui.modelfiles.front import NO_TENSORS, read_front
from webui.modelfiles.header import Front
from webui.modelfiles.shards import Shards, shards_of

SAFETENSORS: Final = ".safetensors"
MAX_ALIAS: Final = 200
OTHER_PROGRAMS: Final = MappingProxyType(
    {"Onnx": "ONNX", "ORT": "ONNX", "OV": "OpenVINO", "Flax": "Flax"}
)
"""By what the classes in model_index.json begin with, of diffusers and optimum."""


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
    if unfinished_beside(path):
        raise ModelUnreadable(
            path.name,
            f"its download is not finished: {path.name}{UNFINISHED} lies beside it. Let aria2 end "
            "it, or remove both.",
        )
    if (shards := shards_of(path)) is not None:
        return _recognise_shards(path, shards, folders, families)
    front = _front((path,))
    try:
        return _recognise_front(path.name, front, folders, families)
    except _Unknown:
        if container_of(path) in PICKLES and not has_diffusion_model(front.tensors):
            return Finding()
        raise


def _recognise_shards(
    path: Path, shards: Shards, folders: Sequence[str], families: Sequence[ModelFamily]
) -> Finding:
    """One of several files of a model. The first that is there speaks for all."""
    if path != shards.present[0]:
        return Finding()
    if missing := shards.missing:
        raise ModelUnreadable(
            shards.stem,
            f"of its {len(shards.files)} files {_listed(missing)} missing. "
            "Download what is missing and put it beside the others.",
        )
    if any(container_of(file) in PICKLES for file in shards.files):
        raise ModelUnreadable(
            shards.stem,
            "its files are of the older kind that can run code, which is read in one piece only. "
            "Look for a safetensors version.",
        )
    found = _recognise_front(shards.stem, _front(shards.files), folders, families)
    if not _may_be_sharded(found, families):
        raise ModelUnreadable(
            shards.stem,
            "models of its kind are read from several files only in diffusers folders, with "
            "their model_index.json. Look for the model in one file.",
        )
    return found


def _listed(missing: Sequence[Path]) -> str:
    """The first of the files that are missing, and how many more."""
    if len(missing) == 1:
        return f"{missing[0].name} is"
    return f"{missing[0].name} and {len(missing) - 1} more are"


def _may_be_sharded(found: Finding, families: Sequence[ModelFamily]) -> bool:
    """Only what is large is: text encoders, and models of the transformer kind."""
    family = next((each for each in families if each.id == found.family), None)
    is_transformer = isinstance(family, TransformerFamily)
    return found.kind == ModelKind.TEXT_ENCODER or (
        found.kind == ModelKind.CHECKPOINT and is_transformer
    )


def _front(files: Sequence[Path]) -> Front:
    """What is in a model's files together, seen as models see it; what the first says of all, and
    what is said beside it."""
    fronts = [_front_of(file) for file in files]
    tensors = {key: tensor for front in fronts for key, tensor in front.tensors.items()}
    if all(container_of(file) is Container.SAFETENSORS for file in files):
        tensors = dict(seen_header(files, tensors))
    return replace(
        fronts[0], tensors=tensors, metadata={**fronts[0].metadata, **said_beside(files[0])}
    )


def _front_of(file: Path) -> Front:
    if container_of(file) is not Container.GGUF:
        return read_front(file, may_be_empty=True)
    read = read_gguf_front(file)
    return Front(tensors=read.tensors, metadata=read.metadata)


class _Unknown(ModelUnreadable):
    """Nothing is wrong with the file, but nothing here knows it."""


def _recognise_folder(path: Path, families: Sequence[ModelFamily]) -> Finding:
    index = _model_index(path)
    for family in families:
        if (told := family.detect_folder(index, path)) is not None:
            return _checkpoint(family, told)
    raise ModelUnreadable(path.name, _unknown_folder(index, families))


def _recognise_front(
    name: str, front: Front, folders: Sequence[str], families: Sequence[ModelFamily]
) -> Finding:
    for family in families:
        if (told := family.detect(front.tensors, front.metadata)) is not None:
            return _checkpoint(family, told)
    if why := stranger(front.tensors) or stranger(front.words):
        raise ModelUnreadable(name, why)
    if not front.tensors:
        raise ModelUnreadable(name, NO_TENSORS)
    found = look_at(front.tensors, folders)
    if found is None:
        if why := other_part(front.tensors):
            raise ModelUnreadable(name, why)
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


def _unknown_folder(index: Mapping[str, object], families: Iterable[ModelFamily]) -> str:
    classes = [str(part[1]) for part in index.values() if isinstance(part, list) and part[1:]]
    pipeline = str(index.get("_class_name") or "")[:MAX_ALIAS]
    for start, program in OTHER_PROGRAMS.items():
        if any(name.startswith(start) for name in (pipeline, *classes)):
            return (
                f"it is made for {program}. Look for the same model in safetensors files, or in "
                "diffusers' folders for PyTorch."
            )
    labels = ", ".join(family.label for family in families)
    named = f" (its maker calls it “{pipeline}”)" if pipeline else ""
    return f"it is of a family that this version does not know{named}. Known are {labels}."
