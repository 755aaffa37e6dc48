"""What a sampler is, and the table of all of them. The walking itself is in the files beside this.

A sampler is a generator function over a denoiser. It yields after each step and nothing else:
whoever iterates shows previews, counts, and cancels by no longer iterating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import webui.samplers
from webui.core.registry import Registry, discover

if TYPE_CHECKING:
    from torch import Tensor

Denoise = Callable[["Tensor", float], "Tensor"]
"""The model's guess of the clean latent, from a noisy one and its noise level sigma."""
Noise = Callable[[], "Tensor"]
"""Fresh noise of spread 1 in the shape of the latent."""

OLD_SUFFIXES: Final = ("karras",)
"""Schedules that A1111 before 1.9 wrote behind the sampler's name: "DPM++ 2M Karras"."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """`index` counts from 0; `x` has the noise level of `sigmas[index + 1]`, `denoised` none."""

    index: int
    x: Tensor
    denoised: Tensor


Sample = Callable[[Denoise, "Tensor", Sequence[float], Noise], Iterator[Step]]
"""Walks `x` along `sigmas`, one Step for each but the first. `x` is noisy to `sigmas[0]`; the
last sigma is 0 for a finished picture. Works on anything with arithmetic: the tests use float64."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One file in samplers/. `label` is A1111's name; `aliases` are other names it goes by."""

    id: str
    label: str
    sample: Sample
    aliases: tuple[str, ...] = ()
    default_schedule: str = "uniform"
    """What the schedule "automatic" means with this sampler."""


class Samplers(Registry[Sampler]):
    """All samplers by id."""

    def find(self, name: str) -> tuple[str, str | None] | None:
        """The id of the sampler with this id, label or alias, in any case; None if there is none.

        With it the schedule that an old combined name carries, or None: "DPM++ 2M Karras".
        """
        wanted = name.strip().lower()
        for sampler in self:
            names = {n.lower() for n in (sampler.id, sampler.label, *sampler.aliases)}
            if wanted in names:
                return sampler.id, None
            for schedule in OLD_SUFFIXES:
                if wanted.removesuffix(f" {schedule}") in names:
                    return sampler.id, schedule
        return None


def load_samplers() -> Samplers:
    """The samplers that lie in this folder."""
    return Samplers(cast("list[Sampler]", discover(webui.samplers, "SAMPLER")))
