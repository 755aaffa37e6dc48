"""What this studio has, in the lists that A1111's clients choose from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Final

import psutil

from webui.api.sdapi import names
from webui.api.sdapi.always_on import ALWAYS_ON, always_on_names
from webui.api.sdapi.arguments import TABS, Argument
from webui.api.sdapi.scripts import SCRIPTS, script_names
from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo, ModelKind
from webui.samplers.sampler import Sampler
from webui.schedules.schedule import AUTOMATIC, Schedule
from webui.studio import Studio

Row = dict[str, Any]

SCALE: Final = 4
"""What A1111 says of upscalers that don't know their own."""
NO_RHO: Final = -1
RHO: Final = 7.0
MOST_METADATA: Final = 100
LONGEST_METADATA: Final = 2000
NO_CUDA: Final = "The engine runs in a process of its own and does not tell its memory."


def samplers(studio: Studio) -> list[Row]:
    """All samplers under A1111's names."""
    return [
        {
            "name": sampler.label,
            "aliases": [sampler.id, *sampler.aliases],
            "options": _sampler_options(sampler),
        }
        for sampler in studio.samplers
    ]


def schedulers(studio: Studio) -> list[Row]:
    """All schedules."""
    return [
        {
            "name": schedule.id,
            "label": schedule.label,
            "aliases": list(schedule.aliases) or None,
            "default_rho": RHO if "rho" in schedule.reads else NO_RHO,
            "need_inner_model": _needs_model(schedule),
        }
        for schedule in studio.schedules
    ]


def upscalers(studio: Studio) -> list[Row]:
    """None, the plain ones, and the files."""
    plain = [upscaler.label for upscaler in studio.upscalers if not upscaler.is_latent]
    return [
        *(_upscaler(name) for name in (names.NONE, *plain)),
        *(_upscaler(model.name, model) for model in studio.catalog.models(ModelKind.UPSCALER)),
    ]


def latent_modes(studio: Studio) -> list[Row]:
    """Ways to enlarge latents, for a second pass."""
    return [{"name": upscaler.label} for upscaler in studio.upscalers if upscaler.is_latent]


def checkpoints(studio: Studio) -> list[Row]:
    """All checkpoints. Their files are told by where they lie below the folder of models."""
    return [
        {
            "title": names.title(studio, model),
            "model_name": names.model_name(model),
            "hash": studio.catalog.known_short_hash(model) or None,
            "sha256": model.hash,
            "filename": names.filename(model),
            "config": None,
        }
        for model in studio.catalog.models()
    ]


def files(models: Iterable[ModelInfo]) -> list[Row]:
    """VAEs, or the modules that Forge loads beside a checkpoint."""
    return [{"model_name": model.path.name, "filename": names.filename(model)} for model in models]


def modules(studio: Studio) -> list[Row]:
    """VAEs and text encoders."""
    kinds = (ModelKind.VAE, ModelKind.TEXT_ENCODER)
    return [row for kind in kinds for row in files(studio.catalog.models(kind))]


def loras(studio: Studio) -> list[Row]:
    """All networks, with what their makers wrote into them, as far as that is short."""
    return [
        {
            "name": model.name,
            "alias": model.alias or model.name,
            "path": names.filename(model),
            "metadata": _metadata(studio, model),
        }
        for model in studio.catalog.models(ModelKind.LORA)
    ]


def embeddings(studio: Studio) -> Row:
    """All embeddings by name. None is left out: what fits is found when it is used."""
    nothing: Row = {
        "step": None,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
        "shape": 0,
        "vectors": 0,
    }
    known = studio.catalog.models(ModelKind.EMBEDDING)
    return {"loaded": {model.name: nothing for model in known}, "skipped": {}}


def styles(studio: Studio) -> list[Row]:
    """All styles."""
    return [
        {"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt}
        for style in studio.styles.styles()
    ]


def scripts() -> dict[str, list[str]]:
    """The titles of what can be named in script_name and alwayson_scripts."""
    return {tab: script_names(tab) + always_on_names(tab) for tab in TABS}


def script_info() -> list[Row]:
    """All scripts with their arguments, once for each tab."""
    rows = [
        _script(script.name, tab, script.arguments(tab), is_always_on=False)
        for script in SCRIPTS
        for tab in script.tabs
    ]
    return rows + [
        _script(script.name, tab, script.all_arguments, is_always_on=True)
        for script in ALWAYS_ON
        for tab in script.tabs
    ]


def memory() -> Row:
    """The memory of this process and of the machine, in bytes."""
    used = psutil.Process().memory_info().rss
    free = psutil.virtual_memory().available
    return {
        "ram": {"free": free, "used": used, "total": free + used},
        "cuda": {"error": NO_CUDA},
    }


def _script(name: str, tab: str, arguments: Iterable[Argument], *, is_always_on: bool) -> Row:
    return {
        "name": name,
        "is_alwayson": is_always_on,
        "is_img2img": tab == TABS[1],
        "args": [dataclasses.asdict(argument) for argument in arguments],
    }


def _sampler_options(sampler: Sampler) -> dict[str, str]:
    """A1111's words for what a sampler is like, as texts."""
    options = {}
    if sampler.default_schedule not in ("uniform", AUTOMATIC):
        options["scheduler"] = sampler.default_schedule
    if sampler.calls_per_step > 1:
        options["second_order"] = "True"
    if sampler.discards_penultimate:
        options["discard_next_to_last_sigma"] = "True"
    return options


def _needs_model(schedule: Schedule) -> bool:
    """Whether the levels are those of the model's timesteps."""
    return schedule.id in ("sgm_uniform", "simple", "normal", "ddim", "beta", "turbo")


def _upscaler(name: str, model: ModelInfo | None = None) -> Row:
    return {
        "name": name,
        "model_name": model.name if model else None,
        "model_path": names.filename(model) if model else None,
        "model_url": None,
        "scale": SCALE,
    }


def _metadata(studio: Studio, model: ModelInfo) -> dict[str, str]:
    """Anybody may have written anything there, and as much."""
    try:
        found = studio.catalog.metadata(model)
    except (ModelUnreadable, OSError):
        return {}
    short = ((key, text) for key, text in found.items() if len(key + text) <= LONGEST_METADATA)
    return dict(list(short)[:MOST_METADATA])
