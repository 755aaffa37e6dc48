"""Beta: short steps at both ends, by the quantiles of a beta distribution."""

from __future__ import annotations

import math
from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing

ROUNDS: Final = 200
"""More than the continued fraction and the bisection ever need in float64."""


def beta_sigmas(spacing: Spacing) -> Sigmas:
    """Lee et al. 2024, "Beta Sampling is All You Need", in sigma as A1111 takes it, then 0."""
    asked, count = spacing.parameters, spacing.steps
    smallest, largest = spacing.smallest, spacing.largest
    parts = (1 - i / max(count - 1, 1) for i in range(count))
    ways = (quantile(part, asked.beta_alpha, asked.beta_beta) for part in parts)
    return (*(smallest + way * (largest - smallest) for way in ways), 0.0)


def quantile(share: float, alpha: float, beta: float) -> float:
    """The value that a beta distribution stays below with probability `share`. By bisection: a
    few hundred logarithms a level are nothing beside a step."""
    low, high = 0.0, 1.0
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _below(middle, alpha, beta) < share:
            low = middle
        else:
            high = middle
    return 1.0 if share == 1 else 0.0 if share == 0 else (low + high) / 2


def _below(x: float, alpha: float, beta: float) -> float:
    """The probability to stay below x, from the side where the fraction converges quickly."""
    if x > (alpha + 1) / (alpha + beta + 2):
        return 1 - _below(1 - x, beta, alpha)
    log = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    front = math.exp(log + alpha * math.log(x) + beta * math.log1p(-x))
    return front / alpha * _fraction(x, alpha, beta)


def _fraction(x: float, alpha: float, beta: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    result, c, d = 1.0, 1.0, 0.0
    for i in range(ROUNDS):
        m = i // 2
        if i == 0:
            factor = 1.0
        elif i % 2 == 0:
            factor = m * (beta - m) * x / ((alpha + 2 * m - 1) * (alpha + 2 * m))
        else:
            low, high = alpha + m, alpha + 2 * m
            factor = -low * (low + beta) * x / (high * (high + 1))
        d = 1 / (1 + factor * d)
        c = 1 + factor / c
        result *= c * d
        if abs(1 - c * d) < 1e-15:
            break
    return result - 1


SCHEDULE: Final = Schedule(
    id="beta",
    label="Beta",
    place=12,
    sigmas=beta_sigmas,
    reads=("smallest_sigma", "largest_sigma", "beta_alpha", "beta_beta"),
)
