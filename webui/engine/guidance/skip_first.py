"""Skip Early CFG: the first part of the run goes without the negative prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Moment

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class SkipFirst(Effect):
    """Counts as A1111: the call at which the part ends is still skipped."""

    def __init__(self, part: float) -> None:
        self._part = part

    def skips(self, moment: Moment) -> bool:
        """True in the first part of the run."""
        return moment.progress <= self._part


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None when no part is skipped."""
    return SkipFirst(guidance.skip_first) if guidance.skip_first else None


FEATURE = Feature(id="skip_first", order=10, begin=begin)
