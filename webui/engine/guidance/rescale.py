"""Guidance rescale: a large scale makes pictures harsh; this brings the spread of values back.

Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", section 3.4. The
paper works on the velocity v. For models that answer noise we take the velocity that means the
same: at high noise, scaling the noise itself would leave some of it in the guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from webui.core.request import Guidance
from webui.engine.guidance.feature import Effect, Feature, Round, each_picture

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class Rescale(Effect):
    """`part`: phi of the paper, 0 for nothing and 1 for all of the spread."""

    def __init__(self, part: float) -> None:
        self._part = part

    def apply(self, round: Round, guess: Tensor) -> Tensor:
        """The guess with the unguided guess's spread of velocity, mixed in by `part`."""
        if round.negative is None:
            return guess
        # v is (x - (sigma² + 1) guess) but for a factor that cancels out
        factor = round.moment.sigma**2 + 1
        return each_picture(
            lambda x, wanted, guided: (
                (x - self._rescaled(x - wanted * factor, x - guided * factor)) / factor
            ),
            round.x,
            round.unguided,
            guess,
        )

    def _rescaled(self, wanted: Tensor, guided: Tensor) -> Tensor:
        return guided * (self._part * (wanted.std() / guided.std()) + (1 - self._part))


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None at 0."""
    return Rescale(guidance.rescale) if guidance.rescale else None


FEATURE = Feature(id="rescale", order=60, begin=begin)
