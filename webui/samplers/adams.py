"""Samplers that go by the slopes of several steps: LMS, IPNDM, IPNDM_V and DEIS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from webui.samplers.multistep import slope_weights, weighted_sum
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

FIXED: Final = (
    (1,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Adams-Bashforth weights for even steps, by the number of slopes, newest first."""
BETA_START: Final = 0.1
BETA_GROWTH: Final = 19.9
"""Song et al. 2021's variance-preserving SDE: beta(t) = 0.1 + 19.9 t."""

Weights = Callable[[float, float, "Sequence[float]"], "Sequence[float]"]
"""What each slope counts for a step from one level to another, given the levels of the slopes."""


def _sample(
    denoise: Denoise, x: Tensor, run: Run, weights: Weights, order: int, ends_plainly: bool = True
) -> Iterator[Step]:
    """`ends_plainly`: the step to 0 is one of Euler's, which gives the guess itself."""
    sigmas = run.sigmas
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i])
        slopes = [(x - denoised) / sigmas[i], *slopes][:order]
        if sigmas[i + 1] == 0 and ends_plainly:
            x = denoised
        else:
            nodes = [sigmas[i - back] for back in range(len(slopes))]
            x = x + weighted_sum(weights(sigmas[i], sigmas[i + 1], nodes), slopes)
        yield Step(index=i, x=x, denoised=denoised)


def sample_lms(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Linear multistep: Adams-Bashforth for uneven steps, the one to 0 as well."""
    return _sample(denoise, x, run, slope_weights, run.parameters.order or 4, ends_plainly=False)


def sample_ipndm_v(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Zhang and Chen 2022, iPNDM, with weights for uneven steps."""
    return _sample(denoise, x, run, slope_weights, run.parameters.order or 4)


def sample_ipndm(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Zhang and Chen 2022, iPNDM: the weights for even steps, however uneven they are."""

    def even(start: float, end: float, nodes: Sequence[float]) -> list[float]:
        return [weight * (end - start) for weight in FIXED[len(nodes) - 1]]

    return _sample(denoise, x, run, even, run.parameters.order or 4, ends_plainly=False)


def sample_deis(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Zhang and Chen 2022, tAB-DEIS: the polynomial through the slopes is one in diffusion time."""

    def in_time(start: float, end: float, nodes: Sequence[float]) -> list[float]:
        return slope_weights(start, end, nodes, _diffusion_time)

    return _sample(denoise, x, run, in_time, run.parameters.order or 3)


def _diffusion_time(sigma: float) -> float:
    """0 at no noise; the inverse of sigma² = exp(growth t² / 2 + start t) - 1."""
    noise = 2 * BETA_GROWTH * math.log1p(sigma**2)
    return (math.sqrt(BETA_START**2 + noise) - BETA_START) / BETA_GROWTH


SAMPLER: Final = (
    Sampler(
        id="lms", label="LMS", place=9, aliases=("k_lms",), sample=sample_lms, reads=("order",)
    ),
    Sampler(id="ipndm", label="IPNDM", place=22, sample=sample_ipndm, reads=("order",)),
    Sampler(id="ipndm_v", label="IPNDM_V", place=23, sample=sample_ipndm_v, reads=("order",)),
    Sampler(id="deis", label="DEIS", place=24, sample=sample_deis, reads=("order",)),
)
