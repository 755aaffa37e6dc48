"""The noise that PyTorch draws on an NVIDIA GPU, computed on any machine. numpy only.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") numbers its
outputs: the counter holds the call and the element, the key is the seed. So elements don't depend
on each other, and a larger latent begins with the values of a smaller one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

FACTORS: Final = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS: Final = (0x9E3779B9, 0xBB67AE85)
ROUNDS: Final = 10
WORD: Final = 2**32
TURN: Final = float(np.float32(2 * math.pi))
"""A whole turn as CUDA writes it, in single precision."""

Words = npt.NDArray[np.uint64]
"""32-bit words, in 64 bits so that products fit."""


class PhiloxGenerator:
    """Normal numbers of one seed. Each call gives other ones."""

    def __init__(self, seed: int) -> None:
        self._seed: Final = seed
        self._calls = 0

    def normal(self, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Numbers of mean 0 and spread 1."""
        count = math.prod(shape)
        index = np.arange(count, dtype=np.uint64)
        call, zero = np.full_like(index, self._calls), np.zeros_like(index)
        self._calls += 1
        first, second, *_ = scramble((call, zero, index, zero), self._seed)
        return _box_muller(first, second).astype(np.float32).reshape(shape)


def scramble(counter: tuple[Words, Words, Words, Words], seed: int) -> tuple[Words, ...]:
    """Ten rounds of Philox over a counter of four words; the seed's 64 bits are the key."""
    a, b, c, d = counter
    keys = [seed % WORD, seed // WORD % WORD]
    for _ in range(ROUNDS):
        left, right = a * np.uint64(FACTORS[0]), c * np.uint64(FACTORS[1])
        a, b, c, d = (
            _high(right) ^ b ^ np.uint64(keys[0]),
            _low(right),
            _high(left) ^ d ^ np.uint64(keys[1]),
            _low(left),
        )
        keys = [(key + step) % WORD for key, step in zip(keys, KEY_STEPS, strict=True)]
    return a, b, c, d


def _box_muller(first: Words, second: Words) -> npt.NDArray[np.float64]:
    """The sine half of the transform; PyTorch drops the other."""
    radius = np.sqrt(-2 * np.log((first.astype(np.float64) + 0.5) / WORD))
    angle = (second.astype(np.float64) + 0.5) * (TURN / WORD)
    values: npt.NDArray[np.float64] = radius * np.sin(angle)
    return values


def _high(product: Words) -> Words:
    return product >> np.uint64(32)


def _low(product: Words) -> Words:
    return product & np.uint64(WORD - 1)
