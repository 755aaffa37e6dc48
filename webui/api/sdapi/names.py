"""What A1111 calls the things that we have, and which of ours a name of theirs means."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from webui.api.sdapi.errors import Refused
from webui.core.errors import InvalidRequest, NotFound
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import OWN_VAE
from webui.schedules.schedule import AUTOMATIC
from webui.studio import Studio

NONE: Final = "None"
SAME: Final = ("use same sampler", "use same scheduler", "use same checkpoint")
FOLDER: Final = "models"
"""Stands for the folder of models: where it really lies is nobody's business."""


def title(studio: Studio, model: ModelInfo) -> str:
    """A checkpoint as A1111 lists it: "folder/name.safetensors [0123456789]". Without the hash as
    long as nobody needed it."""
    short = studio.catalog.known_short_hash(model)
    return f"{model.id} [{short}]" if short else model.id


def model_name(model: ModelInfo) -> str:
    """The name without suffix; folders before it are joined with "_"."""
    return "_".join((*_folders(model), model.name))


def filename(model: ModelInfo) -> str:
    """Where a file lies below the folder of models."""
    return f"{FOLDER}/{model.id}"


def is_said(name: str | None) -> bool:
    """Whether a name is one, and not a word for nothing or for the same as elsewhere."""
    return bool(name) and name is not None and name.lower() not in ("none", "", *SAME)


def find_checkpoint(studio: Studio, name: str) -> ModelInfo:
    """The checkpoint of this title, name, file name or hash; else the one with the shortest title
    that the name is a part of, as in A1111. Raises NotFound."""
    try:
        return studio.catalog.find(name)
    except NotFound:
        models = studio.catalog.models()
        wanted = name.strip().lower()
        for model in models:
            if wanted == model_name(model).lower():
                return model
        alike = [model for model in models if wanted and wanted in title(studio, model).lower()]
        if alike:
            return min(alike, key=lambda model: len(model.id))
        raise


def checkpoint_id(studio: Studio, field: str, name: str) -> str:
    """The id of a checkpoint. Raises InvalidRequest for `field`."""
    try:
        return find_checkpoint(studio, name).id
    except NotFound as error:
        raise InvalidRequest(
            field,
            f"Checkpoint “{name}” not found. Choose one of /sdapi/v1/sd-models.",
        ) from error


def find_sampler(studio: Studio, sampler: str, scheduler: str | None) -> tuple[str, str]:
    """The ids of a sampler and a schedule. An old combined name ("DPM++ 2M Karras") tells the
    schedule unless another one is asked for. Raises Refused with A1111's status 400."""
    found = studio.samplers.find(sampler)
    if found is None:
        raise _unknown("Sampler", sampler)
    id, implied = found
    asked = find_schedule(studio, scheduler) if is_said(scheduler) and scheduler else AUTOMATIC
    return id, implied if implied and asked == AUTOMATIC else asked


def find_schedule(studio: Studio, name: str) -> str:
    """The id of a schedule. Raises Refused."""
    found = studio.schedules.find(name)
    if found is None:
        raise _unknown("Scheduler", name)
    return found


def find_upscaler(name: str | None) -> str | None:
    """What we call an upscaler; None for A1111's "None", which resamples with Lanczos there."""
    return name if is_said(name) else None


def find_vae(studio: Studio, name: str) -> str | None:
    """The id of a VAE: None for "Automatic". Raises InvalidRequest."""
    if name.lower() in ("automatic", ""):
        return None
    if name.lower() == "none":
        return OWN_VAE
    found = studio.catalog.look_up(ModelKind.VAE, name, name.replace("\\", "/").split("/")[-1])
    if found is None:
        raise InvalidRequest("sd_vae", f"VAE “{name}” not found. Choose one of /sdapi/v1/sd-vae.")
    return found.id


def _folders(model: ModelInfo) -> list[str]:
    return [part for part in model.folder.split("/") if part and not model.is_starter]


def _unknown(kind: str, name: str) -> Refused:
    return Refused(
        HTTPStatus.BAD_REQUEST,
        f"{kind} not found: “{name}”. Choose one of /sdapi/v1/{kind.lower()}s.",
    )
