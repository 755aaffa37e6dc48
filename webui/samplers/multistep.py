"""Weights for samplers that remember earlier slopes, and the integrals they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

PARTS: Final = 64


def integral(f: Callable[[float], float], start: float, end: float) -> float:
    """Simpson's rule: exact for polynomials up to the third degree."""
    width = (end - start) / PARTS
    inner = sum(f(start + i * width) * (4 if i % 2 else 2) for i in range(1, PARTS))
    return (f(start) + inner + f(end)) * width / 3


def slope_weights(
    start: float,
    end: float,
    nodes: Sequence[float],
    clock: Callable[[float], float] = lambda sigma: sigma,
) -> list[float]:
    """The weight of the slope at each node, in the integral of the polynomial through all slopes.

    The polynomial is one in clock(sigma); the integral is over sigma. With sigma itself as clock
    this is the Adams-Bashforth method for steps of any length.
    """
    times = [clock(node) for node in nodes]

    def weight(own: float) -> float:
        others = [other for other in times if other != own]

        def share(sigma: float) -> float:
            now = clock(sigma)
            return prod((now - other) / (own - other) for other in others)

        return integral(share, start, end)

    return [weight(own) for own in times]


def weighted_sum(weights: Sequence[float], parts: Sequence[Tensor]) -> Tensor:
    """The sum of tensors, each times its weight. At least one."""
    first, *others = (part * weight for weight, part in zip(weights, parts, strict=True))
    for other in others:
        first = first + other
    return first
