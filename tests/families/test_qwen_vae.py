"""Qwen-Image's VAE in a file of its own, by the names of either maker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webui.core.errors import ModelUnreadable

if TYPE_CHECKING:
    from webui.families.components import Placement

pytestmark = pytest.mark.torch


@pytest.fixture
def placement() -> Placement:
    """In float32 on the CPU."""
    import torch

    from webui.families.components import Placement

    return Placement(device=torch.device("cpu"), dtype=torch.float32)


@pytest.mark.parametrize("is_original", [True, False])
def test_it_is_the_same_by_either_names(
    tmp_path: Path, placement: Placement, *, is_original: bool
) -> None:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
    from safetensors.torch import save_file

    from webui.families.qwen_vae import SETTINGS, qwen_vae_names
    from webui.families.vae_file import load_vae

    tensors = AutoencoderKLQwenImage(base_dim=8).state_dict()
    names = qwen_vae_names(tensors) if is_original else {key: key for key in tensors}
    file = tmp_path / "qwen_image_vae.safetensors"
    save_file({names[key]: tensor for key, tensor in tensors.items()}, file)
    found = load_vae(file, SETTINGS, placement).state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())


def test_its_original_names_are_those_of_its_makers() -> None:
    """Some that its makers' own program reads, one of each kind."""
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage

    from webui.families.qwen_vae import qwen_vae_names

    made = set(qwen_vae_names(AutoencoderKLQwenImage(base_dim=8).state_dict()).values())
    assert made >= {
        "conv1.weight",
        "conv2.bias",
        "encoder.conv1.weight",
        "encoder.downsamples.0.residual.2.weight",
        "encoder.downsamples.3.shortcut.weight",
        "encoder.downsamples.5.time_conv.weight",
        "encoder.middle.1.to_qkv.weight",
        "encoder.head.0.gamma",
        "decoder.upsamples.0.residual.6.bias",
        "decoder.upsamples.3.resample.1.weight",
        "decoder.upsamples.14.residual.3.gamma",
        "decoder.middle.2.residual.0.gamma",
        "decoder.head.2.weight",
    }


@pytest.mark.parametrize("half", ["", "inner"])
def test_flux2s_vae_brings_its_statistics_from_files_of_either_kind(
    tmp_path: Path, placement: Placement, half: str
) -> None:
    import torch
    from safetensors.torch import save_file

    from tests.families.dit_models import picture_vae
    from webui.families.flux2 import PLAN
    from webui.families.vae_file import load_vae
    from webui.families.vae_kinds import original_vae_names

    tensors = picture_vae(PLAN).state_dict()
    tensors["bn.running_mean"] = torch.linspace(-1, 1, 128)
    inner = {
        f"{side}coder.{way}quant_conv.{end}"
        for side, way in (("en", ""), ("de", "post_"))
        for end in ("weight", "bias")
    }
    names = original_vae_names(inner if half else (), tensors, "")
    shaped = {
        names[key]: each[..., None, None] if "attentions" in key and each.ndim == 2 else each
        for key, each in tensors.items()
    }
    file = tmp_path / "flux2-vae.safetensors"
    save_file({key: each.contiguous() for key, each in shaped.items()}, file)
    found = load_vae(file, PLAN.vae, placement).state_dict()
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())


def test_another_vae_is_refused_by_name(tmp_path: Path, placement: Placement) -> None:
    import torch
    from safetensors.torch import save_file

    from webui.families.qwen_vae import SETTINGS
    from webui.families.vae_file import load_vae

    file = tmp_path / "ae.safetensors"
    save_file({"decoder.conv_in.weight": torch.zeros(8, 16, 3, 3)}, file)
    with pytest.raises(ModelUnreadable, match=r"ae\.safetensors.*qwen_image_vae"):
        load_vae(file, SETTINGS, placement)
