"""All schedules, by name and label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from webui.compat.missing import unprovided
from webui.core.request import SamplerParameters
from webui.schedules.noise_levels import NoiseLevels
from webui.schedules.schedule import Schedule, Spacing, load_schedules

TRAINED = tuple((0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * i / 999) ** 2 for i in range(1000))
"""The noise that Stable Diffusion was trained with."""


@dataclass
class Scheduler:
    """A schedule: `function(n, sigma_min, sigma_max, device)` gives n noise levels and 0."""

    name: str
    label: str
    function: Callable[..., Any] | None
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list[str] | None = None


@lru_cache(maxsize=1)
def _levels() -> NoiseLevels:
    return NoiseLevels(TRAINED)


def _spaced(schedule: Schedule) -> Callable[..., Any] | None:
    if schedule.sigmas is None:
        return None
    space = schedule.sigmas

    def function(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu", **_: Any) -> Any:
        import torch

        ends = SamplerParameters(smallest_sigma=float(sigma_min), largest_sigma=float(sigma_max))
        sigmas = space(Spacing(levels=_levels(), steps=n, parameters=ends))
        return torch.tensor(sigmas, device=device)

    return function


schedulers = [
    Scheduler(each.id, each.label, _spaced(each), aliases=list(each.aliases) or None)
    for each in load_schedules()
]
schedulers_map: dict[str, Scheduler] = {
    **{each.name: each for each in schedulers},
    **{each.label: each for each in schedulers},
}


def sigmas_of(p: Any, steps: int, config: Any) -> Any:
    """The noise levels of a job's run. Not a name of A1111's."""
    import torch

    wanted = schedulers_map.get(str(getattr(p, "scheduler", None) or "Automatic"))
    if wanted is None or wanted.function is None:
        name = (config.options if config is not None else {}).get("scheduler", "uniform")
        wanted = schedulers_map[name]
    assert wanted.function is not None
    levels = _levels()
    sigmas = wanted.function(steps, levels.smallest, levels.largest)
    return torch.as_tensor(sigmas, dtype=torch.float32)


__getattr__ = unprovided(__name__)
