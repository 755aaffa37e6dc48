"""One Brownian path for one picture, of which any part can be asked for again.

A dyadic tree, as in Kidger et al. 2021, "Efficient and accurate gradients for neural SDEs": the
middle of each interval is drawn from a seed of its own, so that the path depends on the picture's
seed alone, not on which parts are asked for or in which order. The seeds are those of torchsde's
BrownianTree: the same path as with k-diffusion's samplers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

DIGITS: Final = 6
"""Decimals of a noise level beyond which two are the same."""
POOL: Final = 24
"""Words in which numpy stirs a seed; another number would give other seeds."""


@dataclass(frozen=True)
class _Interval:
    """A node of the tree. `place` counts the nodes of its depth from the left."""

    start: float
    end: float
    depth: int = 0
    place: int = 0


class BrownianPath:
    """The way from `start` to `end`. `draw` gives the normal noise of a seed, always the same."""

    def __init__(self, start: float, end: float, seed: int, draw: Callable[[int], Tensor]) -> None:
        self._seed: Final = seed
        self._draw: Final = draw
        self._root: Final = _Interval(round(start, DIGITS), round(end, DIGITS))
        length = math.sqrt(self._root.end - self._root.start)
        (first, *_) = np.random.SeedSequence(seed, pool_size=POOL).generate_state(3)
        self._whole: Final = draw(int(first)) * length
        self._known: dict[_Interval, Tensor] = {}
        self._used: dict[_Interval, Tensor] = {}

    def increment(self, low: float, high: float) -> Tensor:
        """How far the path gets between two points of the way, `low` before `high`. What lies
        outside the way counts as its end."""
        low, high = (
            min(max(round(point, DIGITS), self._root.start), self._root.end)
            for point in (low, high)
        )
        if low == high:
            return torch.zeros_like(self._whole)
        self._used = {}
        total = self._part(self._root, self._whole, low, high)
        # what this query passed is what the next one, which begins where it ended, passes too
        self._known = self._used
        return total

    def _part(self, node: _Interval, moved: Tensor, low: float, high: float) -> Tensor:
        """The sum over `low`..`high`, which lie in `node`, over which the path gets `moved` far."""
        if (low, high) == (node.start, node.end):
            return moved
        middle = round((node.start + node.end) / 2, DIGITS)
        left = _Interval(node.start, middle, node.depth + 1, 2 * node.place)
        right = _Interval(middle, node.end, node.depth + 1, 2 * node.place + 1)
        moved_left = self._left(node, left, moved)
        if high <= middle:
            return self._part(left, moved_left, low, high)
        if low >= middle:
            return self._part(right, moved - moved_left, low, high)
        before = self._part(left, moved_left, low, middle)
        return before + self._part(right, moved - moved_left, middle, high)

    def _left(self, node: _Interval, left: _Interval, moved: Tensor) -> Tensor:
        """How far the path gets in the left half: a Brownian bridge's middle."""
        if left not in self._known:
            here, ahead = left.end - node.start, node.end - left.end
            share = 1 / (node.end - node.start)
            seeds = np.random.SeedSequence(
                self._seed, spawn_key=(node.place, node.depth), pool_size=POOL
            )
            noise = self._draw(int(seeds.generate_state(4)[0]))
            self._known[left] = here * moved * share + math.sqrt(here * ahead * share) * noise
        self._used[left] = self._known[left]
        return self._known[left]
