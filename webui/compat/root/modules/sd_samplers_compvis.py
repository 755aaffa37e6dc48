"""Older names of samplers that walk along timesteps."""

from __future__ import annotations

from typing import Any

from modules.sd_samplers_timesteps import (
    CFGDenoiserTimesteps,
    CompVisSampler,
    samplers_data_timesteps,
)
from webui.compat.missing import unprovided

__all__ = ["CFGDenoiserTimesteps"]


class VanillaStableDiffusionSampler(CompVisSampler):
    """A job's sampler, as it was made before A1111 1.6."""

    def update_step(self, last_latent: Any) -> None:
        """A step is done."""
        self.last_latent = last_latent
        self.step_count += 1

    def before_sample(self, *arguments: Any) -> Any:
        """Before the network is asked."""
        return arguments

    def after_sample(self, *arguments: Any) -> Any:
        """It answered."""
        return arguments


samplers_data_compvis = samplers_data_timesteps
samplers_compvis = samplers_data_timesteps

__getattr__ = unprovided(__name__)
