"""A loaded model, and what is derived from it once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from webui.core.recipe import Recipe
from webui.engine.architectures import Architecture
from webui.engine.caching.choice import Caches
from webui.engine.conditioning import PromptEncoder
from webui.engine.graphs.replayed_encoder import ReplayedEncoder
from webui.engine.graphs.runner import Runner
from webui.engine.latent_format import scale_of
from webui.engine.patcher import Patcher
from webui.engine.preview import Previewer
from webui.families.components import Components, Prediction
from webui.schedules.noise_levels import FlowLevels, NoiseLevels

TOKEN_CELLS: Final = 2
"""Cells of a latent along a side of a token."""


@dataclass(kw_only=True)
class Pipeline:
    """A loaded model and what is derived from it once. txt2img, img2img and inpaint share it."""

    components: Components
    architecture: Architecture
    encoder: PromptEncoder
    patcher: Patcher
    runner: Runner
    caches: Caches
    readers: tuple[ReplayedEncoder, ...] = ()
    """What stands in for text encoders."""
    seconds_per_call: float = 0.0
    """How long the network took for one call, last time; 0 before the first."""

    @property
    def has_previewer(self) -> bool:
        """Whether `previewer` is there without the VAE."""
        return "previewer" in vars(self)

    @cached_property
    def previewer(self) -> Previewer:
        """Made when the first preview is wanted."""
        return Previewer(self.components.vae)

    def levels(self, recipe: Recipe) -> NoiseLevels:
        """The noise levels of a pass of this size."""
        parts = self.components
        if parts.prediction is not Prediction.FLOW:
            return _levels(parts.betas, parts.has_zero_terminal_snr)
        side = TOKEN_CELLS * scale_of(parts.vae)
        tokens = (recipe.width // side) * (recipe.height // side)
        return FlowLevels(recipe.parameters.shift or parts.shift.at(tokens))

    @property
    def modules(self) -> tuple[Any, ...]:
        """All that has weights, the most dispensable first while pictures are made."""
        parts = self.components
        return (*parts.text_encoders.values(), parts.vae, parts.diffusion_model)


@lru_cache(maxsize=8)
def _levels(betas: tuple[float, ...], has_zero_terminal_snr: bool) -> NoiseLevels:
    return NoiseLevels(betas, has_zero_terminal_snr=has_zero_terminal_snr)
