"""Layouts of published files that differ in one respect from the usual ones, loaded as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webui.core.errors import ModelUnreadable
from webui.families import load_families

if TYPE_CHECKING:
    from torch import nn

    from tests.families.dit_models import Tiny
    from tests.families.tiny_layouts import TinyModel
    from webui.families.components import Placement

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def placement() -> Placement:
    """The CPU in float32."""
    import torch

    from webui.families.components import Placement

    return Placement(device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """A tiny Stable Diffusion 1.5."""
    from tests.families.tiny_layouts import make_tiny

    return make_tiny("sd15", tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def sd3() -> Tiny:
    """A tiny Stable Diffusion 3."""
    from tests.families.dit_models import make_sd3

    return make_sd3()


def same_weights(found: nn.Module, wanted: Mapping[str, Any]) -> bool:
    """Whether a model has these weights, bit for bit."""
    ours = found.state_dict()
    return ours.keys() == wanted.keys() and all(ours[key].equal(wanted[key]) for key in ours)


def test_a_long_clip_serves_as_clip(sd15: TinyModel, tmp_path: Path) -> None:
    """It has places for more words, of which the first are those of any CLIP."""
    import torch
    from safetensors.torch import load_file, save_file

    from tests.families.tiny_layouts import assert_holds, write_unet

    written = write_unet(sd15, tmp_path, "prefixed", "transformers")
    tensors = load_file(written.parts["clip_l"])
    key = next(key for key in tensors if key.endswith("position_embedding.weight"))
    tensors[key] = torch.cat([tensors[key], torch.randn(171, tensors[key].shape[1])])
    save_file(tensors, written.parts["clip_l"])
    assert_holds(sd15.load(written), sd15.parts)


def test_a_unet_may_have_no_middle(sd15: TinyModel, tmp_path: Path) -> None:
    """As KOALA-700M."""
    from safetensors.torch import save_file

    from tests.families.tiny_layouts import Written
    from webui.families.ldm_layout import UNET

    whole = {
        key: each for key, each in sd15.whole.items() if not key.startswith(f"{UNET}middle_block.")
    }
    save_file(whole, tmp_path / "lean.safetensors")
    unet = sd15.load(Written(path=tmp_path / "lean.safetensors")).diffusion_model
    assert unet.mid_block is None
    assert len(unet.state_dict()) == sum(key.startswith(UNET) for key in whole)


def test_a_folder_may_hold_the_variant_bf16_alone(sd15: TinyModel, tmp_path: Path) -> None:
    from tests.families.tiny_layouts import write_folder

    found = sd15.load(write_folder(sd15, tmp_path, variant="bf16"))
    assert same_weights(found.diffusion_model, sd15.parts["unet"])


def test_gguf_files_may_leave_out_an_outermost_side_of_one(
    sd3: Tiny, placement: Placement, tmp_path: Path
) -> None:
    """As stable-diffusion.cpp writes them: SD 3's table of places has two sides there."""
    from tests.families import quantised_files as made
    from tests.families.dit_models import network_tensors, write_parts

    tensors = network_tensors(sd3)
    assert tensors["pos_embed"].ndim == 3
    flat = {key: each[0] if key == "pos_embed" else each for key, each in tensors.items()}
    file = made.write_gguf(
        tmp_path / "sd3.gguf", {key: made.plain(each) for key, each in flat.items()}
    )
    parts = write_parts(sd3, tmp_path / "parts")
    found = load_families()["sd3"].load(file, placement, parts)
    assert same_weights(found.diffusion_model, sd3.network.state_dict())


@pytest.mark.slow
def test_a_folder_in_four_bits_is_read_as_it_is(placement: Placement, tmp_path: Path) -> None:
    """As diffusers saves what bitsandbytes packed: config.json says so too."""
    from safetensors.torch import load_file, save_file

    from tests.families import quantised_files as made
    from tests.families.dit_models import make_flux, write_folder
    from webui.families.quantised.layers import is_quantised

    flux = make_flux()
    folder = write_folder(flux, tmp_path / "flux")
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors: dict[str, Any] = {}
    for key, each in load_file(weights).items():
        is_packed = each.ndim == 2 and "transformer_blocks" in key
        tensors |= made.as_nf4(each, key) if is_packed else {key: each}
    save_file(tensors, weights)
    settings = folder / "transformer" / "config.json"
    said = json.loads(settings.read_text("utf-8"))
    said["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    settings.write_text(json.dumps(said), "utf-8")
    found = load_families()["flux"].load(folder, placement)
    blocks = found.diffusion_model.transformer_blocks
    assert is_quantised(blocks[0].attn.to_q)
    assert not is_quantised(found.diffusion_model.x_embedder)


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        ("StableDiffusionLatentUpscalePipeline", "latents larger"),
        ("StableDiffusionLDM3DPipeline", "LDM3D"),
    ],
)
def test_folders_for_other_tasks_are_refused_by_name(
    sd15: TinyModel, tmp_path: Path, pipeline: str, says: str
) -> None:
    from tests.families.tiny_layouts import write_folder

    written = write_folder(sd15, tmp_path)
    index = written.path / "model_index.json"
    said = json.loads(index.read_text("utf-8")) | {"_class_name": pipeline}
    index.write_text(json.dumps(said), "utf-8")
    with pytest.raises(ModelUnreadable, match=says):
        sd15.load(written)


def test_pointers_of_git_in_a_folder_are_called_so(sd15: TinyModel, tmp_path: Path) -> None:
    """What a clone without Git LFS leaves in place of weights."""
    from tests.families.tiny_layouts import write_folder

    written = write_folder(sd15, tmp_path / "cloned")
    weights = written.path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n")
    with pytest.raises(ModelUnreadable, match="Git LFS"):
        sd15.load(written)


@pytest.mark.parametrize("names", ["original", "diffusers"])
def test_a_decoder_may_be_less_wide_than_its_encoder(
    placement: Placement, tmp_path: Path, names: str
) -> None:
    """As Flux.2's small one."""
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
    from safetensors.torch import save_file

    from tests.families.dit_models import seeded
    from webui.families.flux2 import PLAN
    from webui.families.vae_file import load_vae
    from webui.families.vae_kinds import original_vae_names

    levels = {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
    }
    lean = {"block_out_channels": [32, 64], "decoder_block_out_channels": [32, 32]}
    vae = seeded(lambda: AutoencoderKLFlux2.from_config({**PLAN.vae, **levels, **lean}))
    tensors = {key: each for key, each in vae.state_dict().items() if "num_batches" not in key}
    told = (
        original_vae_names((), tensors, "")
        if names == "original"
        else {key: key for key in tensors}
    )
    save_file({told[key]: each for key, each in tensors.items()}, tmp_path / "vae.safetensors")
    found = load_vae(tmp_path / "vae.safetensors", PLAN.vae, placement)
    assert same_weights(found, tensors)
