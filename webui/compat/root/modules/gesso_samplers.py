"""The engine's samplers as entries of A1111's lists. Not a module of A1111's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from modules.gesso import side
from modules.sd_samplers_common import SamplerData
from webui.samplers.sampler import Sampler, Samplers, load_samplers

TIMESTEPS = ("ddim", "ddim_cfgpp", "plms", "unipc")
"""Those that A1111 lets walk along timesteps."""


@lru_cache(maxsize=1)
def _own() -> Samplers:
    return load_samplers()


def samplers() -> list[Sampler]:
    """All of them, extensions' too."""
    studio = side.studio
    return list(_own() if studio is None else getattr(studio, "samplers", None) or _own())


def k_diffusion_samplers() -> list[Sampler]:
    """Those that walk along noise levels."""
    return [each for each in samplers() if each.id not in TIMESTEPS]


def timesteps_samplers() -> list[Sampler]:
    """The others."""
    return [each for each in samplers() if each.id in TIMESTEPS]


def data_of(sampler: Sampler, kind: Any) -> SamplerData:
    """A sampler's entry; `kind` is the class of what it makes."""
    options: dict[str, Any] = {"gesso": sampler.id}
    if sampler.calls_per_step > 1:
        options["second_order"] = True
    if sampler.discards_penultimate:
        options["discard_next_to_last_sigma"] = True
    if sampler.default_schedule not in ("uniform", "automatic"):
        options["scheduler"] = sampler.default_schedule
    if "eta" not in sampler.reads:
        options["uses_ensd"] = True

    def make(model: Any) -> Any:
        return kind(f"sample_{sampler.id}", model, options)

    return SamplerData(sampler.label, make, [*sampler.aliases, f"k_{sampler.id}"], options)


def sampler_id(name: str, made: Any = None) -> str | None:
    """The engine's id of a sampler: that of the object a script made of it, or by name."""
    own = getattr(made, "sampler_id", "")
    if own:
        return str(own)
    found = Samplers(samplers()).find(str(name))
    return None if found is None else found[0]
