"""Heun++: looks up to two steps ahead and trusts the slopes there by how noisy it still is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from webui.samplers.churn import READS, churned
from webui.samplers.multistep import weighted_sum
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor


def sample_heunpp2(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Carzit's Heun++ 2. Step i asks at sigma i, i + 1 and i + 2; the last two ask fewer times."""
    sigmas = run.sigmas
    for i in range(len(sigmas) - 1):
        x, sigma = churned(x, sigmas[i], run)
        # never at the last level itself, where there may be no slope
        ahead = list(sigmas[i + 1 : i + 3])[: len(sigmas) - 2 - i]
        denoised = denoise(x, sigma)
        slopes = [(x - denoised) / sigma]
        tried, before = x, sigma
        for level in ahead:
            tried = tried + slopes[-1] * (level - before)
            slopes.append((tried - denoise(tried, level)) / level)
            before = level
        weights = [level / (len(slopes) * sigmas[0]) for level in ahead]
        slope = weighted_sum([1 - sum(weights), *weights], slopes)
        x = x + slope * (sigmas[i + 1] - sigma)
        yield Step(index=i, x=x, denoised=denoised)


SAMPLER: Final = Sampler(
    id="heunpp2",
    label="HeunPP2",
    place=21,
    aliases=("Heun++", "k_heunpp2"),
    sample=sample_heunpp2,
    calls_per_step=3,
    reads=READS,
)
