"""Samplers that walk along noise levels."""

from __future__ import annotations

from typing import Any

from modules import sd_samplers_common
from modules.gesso_samplers import data_of, k_diffusion_samplers
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
from webui.compat.missing import unprovided

__all__ = ["CFGDenoiser", "CFGDenoiserKDiffusion"]


class CFGDenoiserKDiffusion(CFGDenoiser):
    """A run's denoiser."""


class KDiffusionSampler(sd_samplers_common.Sampler):
    """A job's sampler. `funcname` is the function that k-diffusion would use."""

    def __init__(self, funcname: Any, sd_model: Any = None, options: Any = None) -> None:
        super().__init__(funcname)
        self.options = options or {}
        self.model_wrap_cfg = CFGDenoiserKDiffusion(self)
        self.model_wrap = self.model_wrap_cfg.inner_model
        self.model_wrap_cfg.model_wrap = self.model_wrap
        self.sampler_id = self.options.get("gesso", "")
        """The engine's own id of it; not a name of A1111's."""


sampler_extra_params: dict[str, list[str]] = {
    "sample_euler": ["s_churn", "s_tmin", "s_tmax", "s_noise"],
    "sample_heun": ["s_churn", "s_tmin", "s_tmax", "s_noise"],
    "sample_dpm_2": ["s_churn", "s_tmin", "s_tmax", "s_noise"],
    "sample_dpm_fast": ["s_noise"],
    "sample_dpm_2_ancestral": ["s_noise"],
    "sample_dpmpp_2s_ancestral": ["s_noise"],
    "sample_dpmpp_sde": ["s_noise"],
    "sample_dpmpp_2m_sde": ["s_noise"],
    "sample_dpmpp_3m_sde": ["s_noise"],
}
k_diffusion_samplers_map = {each.label: each for each in k_diffusion_samplers()}
samplers_k_diffusion = [
    (each.label, f"sample_{each.id}", list(each.aliases), data_of(each, None).options)
    for each in k_diffusion_samplers()
]
samplers_data_k_diffusion = [data_of(each, KDiffusionSampler) for each in k_diffusion_samplers()]
k_diffusion_scheduler: dict[str, Any] = {}

__getattr__ = unprovided(__name__)
