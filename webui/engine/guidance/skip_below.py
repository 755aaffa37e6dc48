"""A1111's "Negative Guidance minimum sigma": below a noise level, do without the negative prompt.

Late in the run it changes little, and without it a call costs half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Moment

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class SkipBelow(Effect):
    """Every second call (those with an odd number, counted from 0), or all."""

    def __init__(self, sigma: float, *, is_always: bool) -> None:
        self._sigma = sigma
        self._is_always = is_always

    def skips(self, moment: Moment) -> bool:
        """True below the noise level."""
        return moment.sigma < self._sigma and (self._is_always or moment.call % 2 == 1)


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None when no noise level is given."""
    if not guidance.skip_below:
        return None
    return SkipBelow(guidance.skip_below, is_always=guidance.skip_below_always)


FEATURE = Feature(id="skip_below", order=10, begin=begin)
