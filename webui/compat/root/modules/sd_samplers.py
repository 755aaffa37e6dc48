"""All samplers, by name and in lists."""

from __future__ import annotations

import logging
from typing import Any

from modules import (
    sd_samplers_kdiffusion,
    sd_samplers_timesteps,
    sd_schedulers,
    shared,
)
from modules.sd_samplers_common import (
    SamplerData,
    sample_to_image,
    samples_to_image_grid,
)
from webui.compat.missing import unprovided

__all__ = ["SamplerData", "sample_to_image", "samples_to_image_grid"]

log = logging.getLogger("a1111")

all_samplers: list[SamplerData] = [
    *sd_samplers_kdiffusion.samplers_data_k_diffusion,
    *sd_samplers_timesteps.samplers_data_timesteps,
]
all_samplers_map: dict[str, SamplerData] = {each.name: each for each in all_samplers}
samplers: list[SamplerData] = []
samplers_for_img2img: list[SamplerData] = []
samplers_map: dict[str, str] = {}
samplers_hidden: set[str] = set()


def find_sampler_config(name: str | None) -> SamplerData | None:
    """The entry of a name; of the first one when no name is given."""
    return all_samplers[0] if name is None else all_samplers_map.get(name)


def create_sampler(name: str | None, model: Any) -> Any:
    """A sampler for a job. Raises ValueError when there is none of this name."""
    config = find_sampler_config(name) or find_sampler_config(get_sampler_name(str(name)))
    if config is None:
        raise ValueError(f"There is no sampler {name}.")
    sampler = config.constructor(model)
    sampler.config = config
    return sampler


def set_samplers() -> None:
    """Fill the lists of what people may choose."""
    hidden = set(shared.opts.data.get("hide_samplers") or ())
    samplers_hidden.clear()
    samplers_hidden.update(hidden)
    samplers[:] = list(all_samplers)
    samplers_for_img2img[:] = list(all_samplers)
    samplers_map.clear()
    for sampler in all_samplers:
        samplers_map[sampler.name.lower()] = sampler.name
        for alias in sampler.aliases:
            samplers_map[alias.lower()] = sampler.name


def add_sampler(sampler: SamplerData) -> None:
    """One more in the lists."""
    if sampler.name not in all_samplers_map:
        all_samplers.append(sampler)
        all_samplers_map[sampler.name] = sampler
        set_samplers()


def visible_samplers() -> list[SamplerData]:
    """Those that are not hidden."""
    return [each for each in samplers if each.name not in samplers_hidden]


def visible_sampler_names() -> list[str]:
    """Their names."""
    return [each.name for each in visible_samplers()]


def get_sampler_name(name: str) -> str:
    """The name of a sampler that is called so, in any case."""
    return samplers_map.get(str(name).lower(), str(name))


def get_sampler_and_scheduler(
    sampler_name: str | None, scheduler_name: str | None, convert_automatic: bool = True
) -> tuple[str, str]:
    """A sampler and a schedule by their present names; the old ones have both in one."""
    name = sampler_name or all_samplers[0].name
    schedule = sd_schedulers.schedulers_map.get(scheduler_name or "Automatic")
    for each in sd_schedulers.schedulers:
        suffix = f" {each.label.lower()}"
        if (
            name.lower().endswith(suffix)
            and get_sampler_name(name[: -len(suffix)]) in all_samplers_map
        ):
            name, schedule = name[: -len(suffix)], each
    name = get_sampler_name(name)
    label = "Automatic" if schedule is None else schedule.label
    return name, label


def fix_p_invalid_sampler_and_scheduler(p: Any) -> None:
    """Give a job the present names of what it asks for."""
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(p.sampler_name, p.scheduler)


def get_sampler_from_infotext(d: dict[str, str]) -> str:
    """The sampler that a picture's text names."""
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[0]


def get_scheduler_from_infotext(d: dict[str, str]) -> str:
    """The schedule that a picture's text names."""
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[1]


def get_hr_sampler_from_infotext(d: dict[str, str]) -> str:
    """The sampler of its second pass."""
    name = d.get("Hires sampler", "Use same sampler")
    if name == "Use same sampler":
        return name
    return get_sampler_and_scheduler(name, d.get("Hires schedule type"))[0]


def get_hr_scheduler_from_infotext(d: dict[str, str]) -> str:
    """The schedule of its second pass."""
    name = d.get("Hires schedule type", "Use same scheduler")
    if name == "Use same scheduler":
        return name
    return get_sampler_and_scheduler(d.get("Hires sampler"), name)[1]


set_samplers()
__getattr__ = unprovided(__name__)
