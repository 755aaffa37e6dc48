"""Churn: a little more noise before each step, as in Karras et al. 2022, algorithm 2."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from webui.samplers.sampler import Run

if TYPE_CHECKING:
    from torch import Tensor

READS: Final = ("churn", "churn_from", "churn_to", "noise_factor")
MOST: Final = math.sqrt(2) - 1
"""The largest part by which a step may raise the noise level."""


def churned(x: Tensor, sigma: float, run: Run) -> tuple[Tensor, float]:
    """The latent and its noise level after churn; both as they were where there is none."""
    asked = run.parameters
    above = math.inf if asked.churn_to is None else asked.churn_to
    if asked.churn == 0 or not asked.churn_from <= sigma <= above:
        return x, sigma
    raised = sigma * (1 + min(asked.churn / (len(run.sigmas) - 1), MOST))
    return x + run.noise() * (asked.noise_factor * math.sqrt(raised**2 - sigma**2)), raised
