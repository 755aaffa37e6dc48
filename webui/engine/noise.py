"""Noise that depends on a picture's recipe alone: not on its batch, nor on the order of asking."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from webui.core.recipe import Recipe
from webui.core.request import Noise, NoiseSource
from webui.engine.brownian import BrownianPath
from webui.engine.philox import PhiloxGenerator

Shape = tuple[int, int, int]
"""Of one picture's latent: channels, height, width."""
Draw = Callable[[Shape], Tensor]
"""The next noise of one generator, float32, spread 1."""

ALIKE: Final = 0.9995
"""A mean cosine above which two noises are too close for the way along the sphere."""


class PictureNoise:
    """The noise of the pictures of a batch, each from generators of its own; samplers' Noise.

    `sigmas` are the smallest and the largest noise level of the whole run, between which the
    Brownian paths lie. `scale` is the pixels along one side of a latent cell.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        shape: Shape,
        device: torch.device,
        sigmas: tuple[float, float] = (0.0, 1.0),
        scale: int = 8,
    ) -> None:
        self._recipes: Final = tuple(recipes)
        self._shape: Final = shape
        self._device: Final = device
        self._sigmas: Final = sigmas
        self._scale: Final = scale
        self._draws = [draws(each.noise.source, each.seed, device) for each in recipes]
        self._paths: list[BrownianPath] = []

    def first(self) -> Tensor:
        """The noise that pictures begin with: (B, C, h, w). With ENSD what comes after is drawn
        anew from other seeds."""
        drawn = [self._first(*each) for each in zip(self._recipes, self._draws, strict=True)]
        self._draws = [
            draws(each.noise.source, each.seed + each.noise.seed_delta, self._device)
            if each.noise.seed_delta
            else draw
            for each, draw in zip(self._recipes, self._draws, strict=True)
        ]
        return self._stacked(drawn)

    def __call__(self) -> Tensor:
        """The next noise of each picture, (B, C, h, w)."""
        return self._stacked([draw(self._shape) for draw in self._draws])

    def between(self, sigma: float, next_sigma: float) -> Tensor:
        """How far each picture's Brownian path gets from one noise level to the next, brought to
        spread 1: (B, C, h, w). Each path is drawn from the picture's seed, without ENSD."""
        if not self._paths:
            self._paths = [self._path(each) for each in self._recipes]
        low, high = sorted((sigma, next_sigma))
        moved = self._stacked([path.increment(low, high) for path in self._paths])
        sign = 1 if sigma < next_sigma else -1
        return moved * (sign / math.sqrt(high - low))

    def _first(self, recipe: Recipe, draw: Draw) -> Tensor:
        noise, anew = recipe.noise, partial(draws, recipe.noise.source, device=self._device)
        old = self._old_shape(noise)
        shape = old or self._shape
        first = draw(shape) if old is None else anew(recipe.seed)(shape)
        if noise.variation_strength:
            other = anew(noise.variation_seed or 0)(shape)
            first = slerp(noise.variation_strength, first, other)
        return first if old is None else paste_middle(draw(self._shape), first)

    def _old_shape(self, noise: Noise) -> Shape | None:
        """That of the picture whose composition is kept; None where there is none to keep."""
        if not noise.resize_from_width or not noise.resize_from_height:
            return None
        width, height = noise.resize_from_width, noise.resize_from_height
        old = (self._shape[0], height // self._scale, width // self._scale)
        return None if old == self._shape else old

    def _path(self, recipe: Recipe) -> BrownianPath:
        def draw(seed: int) -> Tensor:
            return draws(recipe.noise.source, seed, self._device)(self._shape)

        return BrownianPath(*self._sigmas, recipe.seed, draw)

    def _stacked(self, drawn: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(list(drawn))
        if self._device.type == "cuda" and not stacked.is_cuda:
            # from pinned memory it goes to the device without waiting for what is queued there
            return stacked.pin_memory().to(self._device, non_blocking=True)
        return stacked.to(self._device)


def draws(source: NoiseSource, seed: int, device: torch.device) -> Draw:
    """What gives the noises of a seed, one after the other. On the device only with GPU, and not
    on Apple's, whose generator A1111 does not use either."""
    if source is NoiseSource.NV:
        philox = PhiloxGenerator(seed)
        return lambda shape: torch.from_numpy(philox.normal(shape))
    place = device if source is NoiseSource.GPU and device.type != "mps" else torch.device("cpu")
    generator = torch.Generator(place).manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, device=place)


def slerp(strength: float, first: Tensor, second: Tensor) -> Tensor:
    """The noise `strength` of the way from the first to the second, along a sphere: (C, h, w).

    As A1111 does it, or variations would be other pictures: the angle is taken over dimension 1,
    the height, so each column of each channel has its own; and noises that are nearly the same
    are mixed along a line, with the two swapped.
    """
    units = [each / torch.norm(each, dim=1, keepdim=True) for each in (first, second)]
    cosine = (units[0] * units[1]).sum(1, keepdim=True)
    if float(cosine.mean()) > ALIKE:
        return first * strength + second * (1 - strength)
    angle = torch.acos(cosine)
    parts = [torch.sin(share * angle) / torch.sin(angle) for share in (1 - strength, strength)]
    return parts[0] * first + parts[1] * second


def paste_middle(whole: Tensor, part: Tensor) -> Tensor:
    """`part` laid over the middle of `whole`; what sticks out is cut off. (C, h, w) each."""
    pasted = whole.clone()
    to_y, from_y, height = _overlap(whole.shape[1], part.shape[1])
    to_x, from_x, width = _overlap(whole.shape[2], part.shape[2])
    pasted[:, to_y : to_y + height, to_x : to_x + width] = part[
        :, from_y : from_y + height, from_x : from_x + width
    ]
    return pasted


def _overlap(whole: int, part: int) -> tuple[int, int, int]:
    """Where a centred part begins in the whole, where what is shown begins in the part, and how
    many cells are shown. Odd differences round as A1111's do."""
    start = (whole - part) // 2
    return max(start, 0), max(-start, 0), part if start >= 0 else part + 2 * start
