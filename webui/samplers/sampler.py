"""What a sampler is, and the table of all of them. The walking itself is in the files beside this.

A sampler is a generator function over a denoiser. It yields after each step and nothing else:
whoever iterates shows previews, counts, and cancels by no longer iterating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, cast

import webui.samplers
from webui.core.registry import Registry, discover
from webui.core.request import SamplerParameters

if TYPE_CHECKING:
    from torch import Tensor

    from webui.schedules.schedule import Sigmas, Spacing

OLD_SUFFIXES: Final = (
    (" karras", "karras"),
    (" exponential", "exponential"),
    (" polyexponential", "polyexponential"),
    ("_ka", "karras"),
    ("_k", "karras"),
)
"""How a schedule was written behind the sampler's name: A1111 before 1.9 had "DPM++ 2M Karras" and
k_dpmpp_2m_ka, InvokeAI has dpmpp_2m_k."""


class Denoise(Protocol):
    """The model's guess of the clean latent, from a noisy one and its noise level sigma."""

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guided guess."""
        ...

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided guess and the one without guidance; the same twice if there is none."""
        ...


class Noise(Protocol):
    """Fresh noise in the shape of the latent, each picture's from its own source."""

    def __call__(self) -> Tensor:
        """Noise of spread 1, independent of all before."""
        ...

    def between(self, sigma: float, next_sigma: float) -> Tensor:
        """How far a Brownian path over the noise levels gets from one to the other, brought to
        spread 1: the same for the same two levels, however often the way between is cut."""
        ...


class Levels(Protocol):
    """The way between noise levels and the timesteps of a model's training."""

    def sigma(self, timestep: float) -> float:
        """The noise level of a timestep."""
        ...

    def timestep(self, sigma: float) -> float:
        """The timestep of a noise level."""
        ...


@dataclass(frozen=True, kw_only=True)
class Step:
    """`x` has the noise level of `sigmas[index + 1]`, `denoised` none.

    `index` never falls and ends at `len(sigmas) - 2`: it tells how far the run is. Samplers that
    choose their own levels (DPM fast, DPM adaptive, Restart) yield some indices several times and
    leave others out; `x` then has whatever level they have reached.
    """

    index: int
    x: Tensor
    denoised: Tensor


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is given beside the denoiser and the latent.

    `sigmas` falls from the noise level of the latent to that of the result: 0 for a finished
    picture, but any last level is allowed.
    """

    sigmas: Sequence[float]
    noise: Noise
    parameters: SamplerParameters = field(default_factory=SamplerParameters)
    levels: Levels | None = None
    """The model's, for samplers that think in its timesteps (TCD). None lets them take parts of
    sigma instead."""

    @property
    def step_count(self) -> int:
        """How many steps the sigmas ask for."""
        return len(self.sigmas) - 1

    def index(self, done: int, planned: int) -> int:
        """The index of a Step after `done` of `planned` steps of the sampler's own."""
        return max(0, self.step_count * done // planned - 1)

    def eta(self, default: float = 1.0) -> float:
        """How much fresh noise each step adds; `default` is the sampler's own."""
        return default if self.parameters.eta is None else self.parameters.eta


Sample = Callable[[Denoise, "Tensor", Run], Iterator[Step]]
"""Walks `x` along the run's sigmas. Works on anything with arithmetic: the tests use float64."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One file, or one row of a file's table. `label` is A1111's name; `aliases` are others."""

    id: str
    label: str
    sample: Sample
    place: int = 1000
    """Where it stands in lists: A1111's order, then Forge's, then the newer ones."""
    aliases: tuple[str, ...] = ()
    default_schedule: str = "uniform"
    """What the schedule "automatic" means with this sampler, unless `own_sigmas` is given."""
    own_sigmas: Callable[[Spacing], Sigmas] | None = None
    """The noise levels of "automatic" for samplers that bring their own timesteps (DDIM)."""
    own_extra_steps: int = 1
    """How many steps img2img takes along `own_sigmas` beside the int(strength * steps) of A1111:
    -1 for samplers that count the timesteps, not the steps between them. 1 along schedules."""
    calls_per_step: int = 1
    """2 for samplers that ask the denoiser twice a step: prompt schedules count calls."""
    discards_penultimate: bool = False
    """Runs with one level more and leaves out the last but one."""
    default_eta: float | None = None
    """`parameters.eta` when it is None; None here if the sampler does not read it."""
    guidance_factor: float = 1.0
    """What the guidance scale is multiplied with: CFG++ works with scales below 1."""
    is_adaptive: bool = False
    """Chooses its steps by what it sees: pictures of one batch must be sampled one by one, or
    each would depend on the others."""
    is_variance_preserving: bool = False
    """Thinks in latents of variance 1, as A1111's DDIM does. So pure noise to begin with has the
    spread sqrt(1 + sigma²), and a result is divided by sqrt(1 + sigmas[-1]²)."""
    reads: tuple[str, ...] = ()
    """The names of the `SamplerParameters` that count."""


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
            for suffix, schedule in OLD_SUFFIXES:
                if wanted.endswith(suffix) and wanted.removesuffix(suffix) in names:
                    return sampler.id, schedule
        return None


def load_samplers() -> Samplers:
    """The samplers that lie in this folder, in the order of their places."""
    found = cast("list[Sampler]", discover(webui.samplers, "SAMPLER"))
    return Samplers(sorted(found, key=lambda sampler: sampler.place))
