"""The VAEs that are not of Stable Diffusion's build, told apart by what their settings name.

torch and diffusers are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webui.families.components import Placement
from webui.families.qwen_vae import load_qwen_vae
from webui.families.weights import TensorFiles


def is_plain(settings: Mapping[str, Any]) -> bool:
    """Whether a VAE of these settings is of Stable Diffusion's build."""
    return "z_dim" not in settings


def load_other_vae(files: TensorFiles, settings: Mapping[str, Any], placement: Placement) -> Any:
    """The VAE in `files` for a model whose own has these settings, which are not plain. Raises
    ModelUnreadable."""
    return load_qwen_vae(files, placement)
