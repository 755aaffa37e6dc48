"""Other programs' names of samplers and schedules, as A1111 calls them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_SAMPLERS: Final = MappingProxyType(
    {
        "euler": "Euler",
        "euler_a": "Euler a",
        "euler_ancestral": "Euler a",
        "euler_cfg_pp": "Euler CFG++",
        "euler_ancestral_cfg_pp": "Euler a CFG++",
        "heun": "Heun",
        "heunpp2": "HeunPP2",
        "dpm_2": "DPM2",
        "kdpm_2": "DPM2",
        "dpm_2_ancestral": "DPM2 a",
        "kdpm_2_a": "DPM2 a",
        "dpm_2_a": "DPM2 a",
        "lms": "LMS",
        "dpm_fast": "DPM fast",
        "dpm_adaptive": "DPM adaptive",
        "dpmpp_2s_ancestral": "DPM++ 2S a",
        "dpmpp_2s_a": "DPM++ 2S a",
        "dpmpp_2s": "DPM++ 2S a",
        "dpmpp_sde": "DPM++ SDE",
        "dpmpp_2m": "DPM++ 2M",
        "dpmpp_2m_sde": "DPM++ 2M SDE",
        "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
        "dpmpp_3m_sde": "DPM++ 3M SDE",
        "ddpm": "DDPM",
        "ddim": "DDIM",
        "ddim_v3": "DDIM",
        "plms": "PLMS",
        "pndm": "PLMS",
        "unipc": "UniPC",
        "uni_pc": "UniPC",
        "uni_pc_bh2": "UniPC",
        "lcm": "LCM",
        "tcd": "TCD",
        "deis": "DEIS",
        "ipndm": "IPNDM",
        "ipndm_v": "IPNDM_V",
        "er_sde": "ER SDE",
        "res_multistep": "Res Multistep",
        "restart": "Restart",
    }
)
_SCHEDULES: Final = MappingProxyType(
    {
        "normal": "Normal",
        "karras": "Karras",
        "exponential": "Exponential",
        "polyexponential": "Polyexponential",
        "sgm_uniform": "SGM Uniform",
        "simple": "Simple",
        "ddim_uniform": "DDIM",
        "beta": "Beta",
        "linear_quadratic": "Linear Quadratic",
        "kl_optimal": "KL Optimal",
        "bong_tangent": "Bong Tangent",
        "turbo": "Turbo",
        "native": "Uniform",
    }
)


def sampler_named(name: object) -> tuple[str, str | None]:
    """A1111's name of a sampler, and of the schedule that its name carries, if any.

    InvokeAI writes "_k" behind samplers with Karras' schedule, ComfyUI "_gpu" behind some,
    NovelAI "k_" before. A name that is not known stays as it is.
    """
    key = str(name or "").strip().lower().replace(" ", "_").removesuffix("_gpu")
    key = key.removeprefix("k_") if key.removeprefix("k_") in _SAMPLERS else key
    if key.endswith("_k") and key.removesuffix("_k") in _SAMPLERS:
        return _SAMPLERS[key.removesuffix("_k")], "Karras"
    return _SAMPLERS.get(key, str(name or "")), None


def schedule_named(name: object) -> str:
    """A1111's name of a schedule; one that is not known stays as it is."""
    return _SCHEDULES.get(str(name or "").strip().lower(), str(name or ""))
