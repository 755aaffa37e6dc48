"""Going further down than asked and adding fresh noise: what all ancestral samplers share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from webui.samplers.sampler import Run

if TYPE_CHECKING:
    from torch import Tensor


def ancestral_step(sigma: float, next_sigma: float, eta: float = 1.0) -> tuple[float, float]:
    """The level to denoise down to, and the noise to add to be at `next_sigma` again.

    Ho et al. 2020's posterior variance in terms of sigma, times eta²; down² + up² = next_sigma².
    """
    up = min(next_sigma, eta * next_sigma * math.sqrt(max(0.0, 1 - (next_sigma / sigma) ** 2)))
    return math.sqrt(max(0.0, next_sigma**2 - up**2)), up


def renoised(x: Tensor, up: float, run: Run) -> Tensor:
    """`x` with fresh noise of spread `up`; draws none if that is 0."""
    return x + run.noise() * (up * run.parameters.noise_factor) if up > 0 else x


def toward(x: Tensor, denoised: Tensor, sigma: float, next_sigma: float) -> Tensor:
    """`x` brought down to `next_sigma` on the straight line to the guess: an Euler step."""
    kept = next_sigma / sigma
    return x * kept + denoised * (1 - kept)
