"""How much of a part stays on the device, worked out by hand for a few cards."""

from __future__ import annotations

import math

import pytest

from webui.engine.weights.budget import resident_bytes, streamed_forward_s

pytestmark = pytest.mark.torch

GIB = 2**30


@pytest.mark.parametrize(
    ("free_gib", "beside_gib", "link_gb_per_s", "wanted_gib"),
    [
        (12.0, 1.5, 12.0, 5.0),  # all has room
        (6.0, 1.5, 1000.0, 3.5),  # copies hide: the other parts may stay
        (6.0, 1.5, 3.0, 5.0),  # they would not: all room for this part
        (4.0, 1.5, 3.0, 3.0),
        (0.5, 0.0, 3.0, 0.0),  # not even the activations have room
        (6.0, 1.5, math.inf, 3.5),
    ],
)
def test_a_part_takes_what_it_gains_from(
    free_gib: float, beside_gib: float, link_gb_per_s: float, wanted_gib: float
) -> None:
    taken = resident_bytes(
        part_bytes=5 * GIB,
        free_bytes=int(free_gib * GIB),
        working_bytes=GIB,
        beside_bytes=int(beside_gib * GIB),
        link_bytes_per_s=link_gb_per_s * 1e9,
        forward_s=0.1,
    )
    assert taken == wanted_gib * GIB


def test_a_forward_is_as_long_as_the_longer_of_both() -> None:
    """The card of 3.5 GiB that was measured: 3.21 GB a step over 55 GB/s took 75.9 ms."""
    estimate = streamed_forward_s(
        streamed_bytes=3_210_000_000, link_bytes_per_s=55e9, forward_s=0.0432
    )
    assert estimate == pytest.approx(0.0759, rel=0.05)
    assert streamed_forward_s(streamed_bytes=10**9, link_bytes_per_s=55e9, forward_s=0.1) == 0.1
