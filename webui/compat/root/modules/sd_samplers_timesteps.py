"""Samplers that walk along timesteps."""

from __future__ import annotations

from typing import Any

from modules import sd_samplers_common
from modules.gesso_samplers import data_of, timesteps_samplers
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
from webui.compat.missing import unprovided


class CFGDenoiserTimesteps(CFGDenoiser):
    """A run's denoiser."""

    def __init__(self, sampler: Any = None) -> None:
        super().__init__(sampler)
        self.mask_before_denoising = True


class CompVisTimestepsDenoiser:
    """The network of a model that answers with noise. The engine asks it."""

    def __init__(self, model: Any, *arguments: Any, **named: Any) -> None:
        self.inner_model = model


class CompVisTimestepsVDenoiser(CompVisTimestepsDenoiser):
    """The network of a model that answers with velocity."""


class CompVisSampler(sd_samplers_common.Sampler):
    """A job's sampler."""

    def __init__(self, funcname: Any, sd_model: Any = None, options: Any = None) -> None:
        super().__init__(funcname)
        self.options = options or {}
        self.eta_option_field = "eta_ddim"
        self.eta_infotext_field = "Eta DDIM"
        self.eta_default = 0.0
        self.model_wrap_cfg = CFGDenoiserTimesteps(self)
        self.model_wrap = self.model_wrap_cfg.inner_model
        self.model_wrap_cfg.model_wrap = self.model_wrap
        self.sampler_id = self.options.get("gesso", "")

    def get_timesteps(self, p: Any, steps: int) -> Any:
        """The timesteps of a run, rising."""
        import torch

        distance = max(1, 1000 // max(1, steps))
        return torch.clip(torch.arange(0, 1000, distance) + 1, 0, 999)


samplers_timesteps = [
    (each.label, f"sample_{each.id}", list(each.aliases), data_of(each, None).options)
    for each in timesteps_samplers()
]
samplers_data_timesteps = [data_of(each, CompVisSampler) for each in timesteps_samplers()]
VanillaStableDiffusionSampler = CompVisSampler

__getattr__ = unprovided(__name__)
