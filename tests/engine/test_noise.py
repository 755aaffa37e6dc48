"""Noise by source, variation, seed resize and Brownian paths, against known numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.engine.work import RECIPE
from webui.core.recipe import Recipe
from webui.core.request import Noise, NoiseSource
from webui.engine.brownian import BrownianPath
from webui.engine.noise import PictureNoise, slerp
from webui.engine.philox import PhiloxGenerator

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)
SPAN = (0.0291675, 14.614642)
SIGMAS = (14.614642, 9.1029, 5.4784, 3.1686, 1.7494, 0.9141, 0.4469, 0.2014, 0.0819, 0.0292)


def recipe(seed: int = 7, **noise: Any) -> Recipe:
    return replace(RECIPE, seed=seed, noise=Noise(**noise))


def noise_of(*recipes: Recipe, shape: tuple[int, int, int] = SHAPE, scale: int = 8) -> PictureNoise:
    return PictureNoise(recipes, shape, CPU, SPAN, scale)


def plain(seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_nvidias_noise_is_what_a_gpu_draws() -> None:
    """Values seen on a GPU, as the documentation of A1111's noise source has them."""
    generator = PhiloxGenerator(0)
    first, second = generator.normal((4,)), generator.normal((4,))
    assert first == pytest.approx([-0.92466, -0.42534, -2.64385, 0.14519], abs=1e-5)
    assert second[0] == pytest.approx(0.18083, abs=1e-5)
    large = PhiloxGenerator(12345).normal((4, 64, 64))
    assert large.ravel()[:4] == pytest.approx([0.57864, -0.52476, -0.29190, 0.01401], abs=1e-5)


def test_nvidias_noise_has_the_spread_of_noise() -> None:
    drawn = PhiloxGenerator(2**40 + 3).normal((100_000,))
    assert (float(drawn.mean()), float(drawn.std())) == pytest.approx((0, 1), abs=0.01)


@pytest.mark.parametrize("source", list(NoiseSource))
def test_noise_depends_on_the_seed_alone(source: NoiseSource) -> None:
    batch = noise_of(*(recipe(seed, source=source) for seed in (5, 6, 7)))
    alone = noise_of(recipe(6, source=source))
    assert torch.equal(batch.first()[1], alone.first()[0])
    for _ in range(2):
        assert torch.equal(batch()[1], alone()[0])
    assert torch.equal(batch.between(3.0, 2.0)[1], alone.between(3.0, 2.0)[0])


def test_the_cpus_noise_is_pytorchs_for_the_seed() -> None:
    assert torch.equal(noise_of(recipe(42)).first()[0], plain(42))


def test_sources_differ() -> None:
    drawn = [
        noise_of(recipe(source=source)).first() for source in (NoiseSource.CPU, NoiseSource.NV)
    ]
    assert not torch.equal(*drawn)


def test_seeds_reach_to_the_largest() -> None:
    for source in NoiseSource:
        noise = noise_of(recipe(2**32 - 1, source=source, seed_delta=2**32 - 1))
        noise.first()
        assert noise().shape == noise.between(2.0, 1.0).shape == (1, *SHAPE)


def test_ensd_changes_the_noise_after_the_first() -> None:
    delta, without = noise_of(recipe(seed_delta=31337)), noise_of(recipe())
    assert torch.equal(delta.first(), without.first())
    assert torch.equal(delta()[0], plain(7 + 31337))
    assert not torch.equal(delta(), without())


@pytest.mark.parametrize(("strength", "seed"), [(0.0, 7), (1.0, 9)])
def test_a_variation_goes_from_one_seed_to_the_other(strength: float, seed: int) -> None:
    varied = noise_of(recipe(variation_seed=9, variation_strength=strength)).first()
    assert varied[0].numpy() == pytest.approx(plain(seed).numpy(), abs=1e-6)


def test_a_variation_leaves_the_noise_after_the_first() -> None:
    varied, without = noise_of(recipe(variation_seed=9, variation_strength=0.5)), noise_of(recipe())
    assert not torch.equal(varied.first(), without.first())
    assert torch.equal(varied(), without())


@settings(max_examples=40, deadline=None)
@given(strength=st.floats(0, 1), seed=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
def test_the_way_between_two_noises_is_an_arc_in_each_column(
    strength: float, seed: int, other: int
) -> None:
    """The formula written out in float64, column by column of each channel."""
    a, b = plain(seed, (2, 6, 3)), plain(other, (2, 6, 3))
    if seed == other:
        assert torch.allclose(slerp(strength, a, b), a)
        return
    expected = np.empty((2, 6, 3))
    for channel in range(2):
        for column in range(3):
            one, two = (x[channel, :, column].double().numpy() for x in (a, b))
            cosine = one @ two / math.sqrt((one @ one) * (two @ two))
            angle = math.acos(cosine)
            mix = math.sin((1 - strength) * angle) * one + math.sin(strength * angle) * two
            expected[channel, :, column] = mix / math.sin(angle)
    assert slerp(strength, a, b).numpy() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_noises_nearly_alike_are_mixed_the_other_way_round() -> None:
    a = plain(3)
    b = a * 1.5
    assert torch.allclose(slerp(0.25, a, b), a * 0.25 + b * 0.75)


@pytest.mark.parametrize("old", [(32, 48), (128, 96), (64, 128), (40, 72)])
def test_a_resized_seed_keeps_the_old_noise_in_the_middle(old: tuple[int, int]) -> None:
    height, width = old
    resized = noise_of(recipe(resize_from_width=width, resize_from_height=height)).first()[0]
    small, fresh = plain(7, (4, height // 8, width // 8)), plain(7)
    middle = resized[:, 3:5, 3:5]
    top, left = (height // 8 - 8) / 2, (width // 8 - 8) / 2
    y, x = math.ceil(3 + top), math.ceil(3 + left)
    assert torch.equal(middle, small[:, y : y + 2, x : x + 2])
    if height < 64 and width < 64:
        assert torch.equal(resized[:, 0], fresh[:, 0])


def test_a_resized_seed_of_the_same_size_changes_nothing() -> None:
    same = noise_of(recipe(resize_from_width=64, resize_from_height=64))
    assert torch.equal(same.first(), noise_of(recipe()).first())


def test_a_brownian_path_is_k_diffusions() -> None:
    """Increments of torchsde 0.2.6's BrownianTree over the same span, entropy 42, shape (2, 3)."""
    path = BrownianPath(*SPAN, 42, lambda seed: plain(seed, (2, 3)))
    moved = [path.increment(b, a).flatten()[:2].tolist() for a, b in pairwise(SIGMAS[:5])]
    expected = [
        [1.054901361, -3.288773537],
        [0.365165859, -0.679596424],
        [0.870748222, 0.441482246],
        [-3.401232481, -0.943290889],
    ]
    assert np.array(moved) == pytest.approx(np.array(expected), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.floats(0.05, 14.0), min_size=1, max_size=6, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_a_path_is_the_same_however_it_is_cut(cuts: list[float], order: Any) -> None:
    points = sorted({round(cut, 4) for cut in [SPAN[0], *cuts, SPAN[1]]})
    parts = list(pairwise(points))
    order.shuffle(parts)
    path = BrownianPath(*SPAN, 3, lambda seed: plain(seed, (5,)))
    total = torch.stack([path.increment(*part) for part in parts]).sum(0)
    whole = BrownianPath(*SPAN, 3, lambda seed: plain(seed, (5,))).increment(points[0], points[-1])
    assert total.numpy() == pytest.approx(whole.numpy(), abs=1e-4)


def test_what_a_path_gives_has_spread_1_and_turns_with_its_direction() -> None:
    noise = noise_of(recipe(), shape=(4, 64, 64))
    for high, low in pairwise(SIGMAS):
        assert float(noise.between(high, low).std()) == pytest.approx(1, abs=0.03)
    assert torch.equal(noise.between(3.0, 2.0), -noise.between(2.0, 3.0))
