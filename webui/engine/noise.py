"""Noise that depends on a picture's seed alone: not on its batch, nor on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class PictureNoise:
    """A source of noise for the pictures of a batch, each from its own generator on the CPU."""

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device
    ) -> None:
        """`shape`: of one picture's latent, (4, H/8, W/8)."""
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self._shape = shape
        self._device = device

    def __call__(self) -> Tensor:
        """The next noise of each picture: float32, (B, 4, H/8, W/8), spread 1."""
        drawn = [torch.randn(self._shape, generator=each) for each in self._generators]
        return torch.stack(drawn).to(self._device)

    def between(self, sigma: float, next_sigma: float) -> Tensor:
        """Fresh noise, not yet that of a Brownian path."""
        return self()
