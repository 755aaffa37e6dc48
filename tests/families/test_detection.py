"""Which family a file is of, told by its header alone, whatever folder it was put into.

The headers are of full size, in the layouts of real files; nothing has weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from tests.families.sd_headers import (
    Shapes,
    config,
    inputs,
    lora,
    original_unet,
    original_vae,
    text_encoder,
    unet,
    vae,
    whole,
    without,
)
from tests.model_files import safetensors
from webui.catalog.homes import better_home
from webui.catalog.recognise import recognise
from webui.core.model import ModelInfo, ModelKind, TensorHeader
from webui.families import load_families, sd15
from webui.families.ldm_layout import UNET, VAE

pytestmark = pytest.mark.torch

CHECKPOINT: Final = ModelKind.CHECKPOINT
TEXTS: Final = ("cond_stage_model.", "conditioner.")
MARK: Final[Shapes] = {"v_pred": (0,)}
V_AND_ZERO: Final[Shapes] = {"v_pred": (0,), "ztsnr": (0,)}
COND: Final = (320, 256)


@dataclass(frozen=True)
class Case:
    """A file, and what it is to be taken for."""

    make: Callable[[], Shapes]
    kind: ModelKind | None
    family: str = ""
    variant: str = ""
    missing: str = ""
    said: str = ""
    """Its metadata's title."""
    prediction: str = ""
    """Its metadata's kind of prediction."""


def case(
    make: Callable[[], Shapes],
    family: str,
    variant: str = "",
    missing: str = "",
    said: str = "",
    prediction: str = "",
) -> Case:
    return Case(make, CHECKPOINT, family, variant, missing, said, prediction)


def other(make: Callable[[], Shapes], kind: ModelKind, family: str = "", variant: str = "") -> Case:
    return Case(make, kind, family, variant)


def refused(make: Callable[[], Shapes], says: str) -> Case:
    return Case(make, None, said=says)


NO_SD15: Final = "clip_l vae"
NO_XL: Final = "clip_l clip_g vae"
SD15: Final = {
    "sd15": case(lambda: whole("sd15"), "sd15"),
    "sd15, old text encoder": case(
        lambda: {
            key.replace("transformer.text_model.", "transformer."): shape
            for key, shape in whole("sd15").items()
        },
        "sd15",
    ),
    "sd15 with a second set of weights": case(
        lambda: whole("sd15") | {"model_ema.decay": (), "model_ema.num_updates": ()}, "sd15"
    ),
    "sd15 inpaint": case(lambda: inputs(whole("sd15"), 9), "sd15", "inpaint"),
    "sd15 edit": case(lambda: inputs(whole("sd15"), 8), "sd15", "edit"),
    "sd15 velocity": case(lambda: whole("sd15") | MARK, "sd15", "v"),
    "sd15 zero snr": case(lambda: whole("sd15") | V_AND_ZERO, "sd15", "v ztsnr"),
    "sd15 without vae": case(lambda: without(whole("sd15"), VAE), "sd15", missing="vae"),
    "sd15 without text": case(lambda: without(whole("sd15"), *TEXTS), "sd15", missing="clip_l"),
    "sd15 unet": case(lambda: original_unet("sd15"), "sd15", missing=NO_SD15),
    "sd15 bare unet": case(lambda: original_unet("sd15", prefix=""), "sd15", missing=NO_SD15),
    "sd15 unet of diffusers": case(lambda: unet("sd15"), "sd15", missing=NO_SD15),
    "sd15 lcm": case(
        lambda: unet("sd15") | {"time_embedding.cond_proj.weight": COND},
        "sd15",
        "told-lcm",
        NO_SD15,
    ),
    "sd15 lcm by its title": case(lambda: whole("sd15"), "sd15", "lcm", said="Dream LCM v1"),
    "sd15 that turns things around": case(
        lambda: inputs(whole("sd15"), 8) | {"cc_projection.weight": (768, 772)},
        "sd15",
        "edit views",
    ),
    "sd15 hyper": case(lambda: whole("sd15"), "sd15", "hyper", said="Hyper-SD15 8 steps"),
}
SD2: Final = {
    "sd2": case(lambda: whole("sd2"), "sd2"),
    "sd2 velocity": case(lambda: whole("sd2"), "sd2", "v", prediction="v"),
    "sd2 base": case(lambda: whole("sd2"), "sd2", "512px", prediction="epsilon"),
    "sd2 marked": case(lambda: whole("sd2") | MARK, "sd2", "v"),
    "sd2 inpaint": case(lambda: inputs(whole("sd2"), 9), "sd2", "inpaint"),
    "sd2 depth": case(lambda: inputs(whole("sd2"), 5), "sd2", "depth"),
    "sd2 upscaler": case(
        lambda: inputs(whole("sd2"), 7) | {f"{UNET}label_emb.weight": (1000, 1280)},
        "sd2",
        "upscaler",
    ),
    "sd2 unclip": case(
        lambda: whole("sd2") | {"noise_augmentor.data_mean": (1, 1024)}, "sd2", "unclip"
    ),
    "sd2 unet": case(lambda: original_unet("sd2"), "sd2", missing="clip_h vae"),
    "sd2 unet of diffusers": case(lambda: unet("sd2"), "sd2", missing="clip_h vae"),
    "sd2 without vae": case(lambda: without(whole("sd2"), VAE), "sd2", missing="vae"),
    "sd2 turbo": case(lambda: whole("sd2"), "sd2", "turbo", said="SD-Turbo"),
}
SDXL: Final = {
    "sdxl": case(lambda: whole("sdxl"), "sdxl"),
    "sdxl velocity": case(lambda: whole("sdxl") | MARK, "sdxl", "v"),
    "sdxl zero snr": case(lambda: whole("sdxl") | V_AND_ZERO, "sdxl", "v ztsnr"),
    "sdxl inpaint": case(lambda: inputs(whole("sdxl"), 9), "sdxl", "inpaint"),
    "sdxl edit": case(lambda: inputs(whole("sdxl"), 8), "sdxl", "edit"),
    "sdxl edm": case(lambda: whole("sdxl") | {"edm_mean": (4,), "edm_std": (4,)}, "sdxl", "edm"),
    "sdxl cos edm": case(
        lambda: whole("sdxl") | {"edm_vpred.sigma_max": (), "edm_vpred.sigma_min": ()},
        "sdxl",
        "edm",
    ),
    "ssd-1b": case(lambda: whole("sdxl", "ssd-1b"), "sdxl"),
    "vega": case(lambda: whole("sdxl", "vega"), "sdxl"),
    "sdxl turbo": case(lambda: whole("sdxl"), "sdxl", "turbo", said="Dream XL Turbo v2"),
    "sdxl lightning": case(lambda: whole("sdxl"), "sdxl", "lightning", said="SDXL-Lightning"),
    "sdxl hyper": case(lambda: whole("sdxl"), "sdxl", "hyper", said="Hyper-SDXL"),
    "sdxl dmd2": case(lambda: whole("sdxl"), "sdxl", "dmd2", said="big DMD2 mix"),
    "sdxl lcm": case(
        lambda: whole("sdxl") | {f"{UNET}time_embed.cond_proj.weight": COND}, "sdxl", "told-lcm"
    ),
    "sdxl called after turbot": case(lambda: whole("sdxl"), "sdxl", said="turbots and hypernyms"),
    "sdxl unet": case(lambda: original_unet("sdxl"), "sdxl", missing=NO_XL),
    "sdxl bare unet": case(lambda: original_unet("sdxl", prefix=""), "sdxl", missing=NO_XL),
    "sdxl unet of diffusers": case(lambda: unet("sdxl"), "sdxl", missing=NO_XL),
    "ssd-1b unet of diffusers": case(lambda: unet("sdxl", "ssd-1b"), "sdxl", missing=NO_XL),
    "sdxl without vae": case(lambda: without(whole("sdxl"), VAE), "sdxl", missing="vae"),
    "sdxl without text": case(
        lambda: without(whole("sdxl"), *TEXTS), "sdxl", missing="clip_l clip_g"
    ),
    "refiner": case(lambda: whole("sdxl_refiner"), "sdxl_refiner"),
    "refiner unet": case(
        lambda: original_unet("sdxl_refiner"), "sdxl_refiner", missing="clip_g vae"
    ),
    "refiner unet of diffusers": case(
        lambda: unet("sdxl_refiner"), "sdxl_refiner", missing="clip_g vae"
    ),
}
BESIDE: Final = {
    "lora sd15": other(lambda: lora(unet("sd15"), "lora_unet_"), ModelKind.LORA, "sd15"),
    "lora sd2": other(lambda: lora(unet("sd2"), "lora_unet_"), ModelKind.LORA, "sd2"),
    "lora sdxl": other(lambda: lora(unet("sdxl"), "lora_unet_"), ModelKind.LORA, "sdxl"),
    "lora sdxl, original names": other(
        lambda: lora(original_unet("sdxl"), "lora_unet_"), ModelKind.LORA, "sdxl"
    ),
    "lora of diffusers": other(
        lambda: lora(unet("sdxl"), "unet.", "lora_A", "lora_B"), ModelKind.LORA, "sdxl"
    ),
    "lora of comfyui": other(
        lambda: lora(original_unet("sd15"), "diffusion_model.", "lora_A", "lora_B"),
        ModelKind.LORA,
        "sd15",
    ),
    "lycoris": other(
        lambda: {
            "lora_unet_input_blocks_4_1_proj_in.hada_w1_a": (640, 8),
            "lora_unet_input_blocks_4_1_proj_in.hada_w1_b": (8, 640),
            "lora_unet_input_blocks_4_1_proj_in.hada_w2_a": (640, 8),
            "lora_unet_input_blocks_4_1_proj_in.hada_w2_b": (8, 640),
        },
        ModelKind.LORA,
    ),
    "vae": other(lambda: original_vae("sd15", prefix=""), ModelKind.VAE, variant="sd"),
    "vae with prefix": other(lambda: original_vae("sd15"), ModelKind.VAE, variant="sd"),
    "vae of diffusers": other(lambda: vae("sdxl"), ModelKind.VAE, variant="sd"),
    "vae of flux": other(
        lambda: original_vae("sd15", 16, prefix=""), ModelKind.VAE, variant="flux16"
    ),
    "clip_l": other(lambda: text_encoder("sd15"), ModelKind.TEXT_ENCODER, variant="clip_l"),
    "clip_h": other(
        lambda: text_encoder("sd2", layout="open_clip"), ModelKind.TEXT_ENCODER, variant="clip_h"
    ),
    "clip_g": other(
        lambda: text_encoder("sdxl", "text_encoder_2"), ModelKind.TEXT_ENCODER, variant="clip_g"
    ),
    "clip_g of OpenCLIP": other(
        lambda: text_encoder("sdxl", "text_encoder_2", "open_clip"),
        ModelKind.TEXT_ENCODER,
        variant="clip_g",
    ),
    "embedding": other(lambda: {"emb_params": (4, 768)}, ModelKind.EMBEDDING, "sd15"),
    "embedding sdxl": other(
        lambda: {"clip_l": (4, 768), "clip_g": (4, 1280)}, ModelKind.EMBEDDING, "sdxl"
    ),
    "upscaler": other(
        lambda: {
            "conv_first.weight": (64, 3, 3, 3),
            "body.0.rdb1.conv1.weight": (32, 64, 3, 3),
            "conv_last.weight": (3, 64, 3, 3),
        },
        ModelKind.UPSCALER,
    ),
    "preview": other(
        lambda: {"decoder.layers.0.weight": (64, 4, 3, 3), "decoder.layers.0.bias": (64,)},
        ModelKind.PREVIEW,
        variant="sd",
    ),
    "controlnet": refused(
        lambda: {
            **{f"control_model.{key}": (320, 768) for key in original_unet("sd15", prefix="")},
            "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
        },
        "a ControlNet",
    ),
    "controlnet of diffusers": refused(
        lambda: {
            **without(unet("sdxl"), "up_blocks.", "conv_out.", "conv_norm_out."),
            "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        },
        "a ControlNet for SDXL",
    ),
    "film": refused(
        lambda: (
            original_unet("sd2")
            | {f"{UNET}input_blocks.1.1.time_stack.0.attn1.to_k.weight": (320, 320)}
        ),
        "Stable Video Diffusion",
    ),
    "motion module": refused(
        lambda: {"down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": (320,)},
        "a motion module",
    ),
    "kolors": refused(
        lambda: unet("sdxl") | {"add_embedding.linear_1.weight": (1280, 5632)},
        "does not know the family",
    ),
}
CASES: Final = {**SD15, **SD2, **SDXL, **BESIDE}
FOLDERS: Final = ("Stable-diffusion", "Lora", "VAE", "text_encoders", "ESRGAN", "embeddings")
FAMILIES: Final = load_families()


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_told_by_its_header(name: str, tmp_path: Path) -> None:
    """And a file in a wrong folder is what it is: the list of models says where it belongs."""
    wanted = CASES[name]
    metadata = {"modelspec.title": wanted.said} if wanted.said and wanted.kind else {}
    if wanted.prediction:
        metadata["modelspec.prediction_type"] = wanted.prediction
    file = safetensors(tmp_path / "x.safetensors", wanted.make(), b"", **metadata)
    found = recognise(file, ["Stable-diffusion"], list(FAMILIES))
    if wanted.kind is None:
        assert (found.kind, wanted.said in found.problem) == ("", True), found.problem
        return
    missing = tuple(wanted.missing.split())
    assert (found.kind, found.family, found.problem) == (wanted.kind, wanted.family, "")
    assert (found.variant, found.missing) == (wanted.variant, missing)
    homes = {
        ModelKind.CHECKPOINT: "Stable-diffusion",
        ModelKind.VAE: "VAE",
        ModelKind.LORA: "Lora",
        ModelKind.EMBEDDING: "embeddings",
        ModelKind.UPSCALER: "ESRGAN",
        ModelKind.TEXT_ENCODER: "text_encoders",
        ModelKind.PREVIEW: "VAE-approx",
    }
    for folder in FOLDERS:
        expected = "" if homes[wanted.kind] == folder else homes[wanted.kind]
        assert better_home(wanted.kind, folder) == expected


def test_no_file_is_of_two_families() -> None:
    for name, wanted in CASES.items():
        header = {
            key: TensorHeader(dtype="F16", shape=shape) for key, shape in wanted.make().items()
        }
        owners = [each.id for each in FAMILIES if each.detect(header, {}) is not None]
        assert owners == ([wanted.family] if wanted.kind is CHECKPOINT else []), name


@pytest.mark.parametrize(
    ("family", "variant", "expected"),
    [
        ("sd15", "", (512, 20, 7.0, "dpmpp_2m", "automatic")),
        ("sd15", "lcm", (512, 6, 1.5, "lcm", "sgm_uniform")),
        ("sd15", "told-lcm", (512, 6, 1.0, "lcm", "sgm_uniform")),
        ("sd2", "v", (768, 20, 5.0, "euler", "automatic")),
        ("sd2", "512px", (512, 20, 7.0, "dpmpp_2m", "automatic")),
        ("sd2", "turbo 512px", (512, 4, 1.0, "euler_a", "turbo")),
        ("sdxl", "", (1024, 25, 6.0, "dpmpp_2m", "automatic")),
        ("sdxl", "inpaint", (1024, 25, 6.0, "dpmpp_2m", "automatic")),
        ("sdxl", "v ztsnr", (1024, 25, 5.0, "euler", "automatic")),
        ("sdxl", "turbo", (1024, 4, 1.0, "euler_a", "turbo")),
        ("sdxl", "lightning", (1024, 8, 1.0, "euler", "sgm_uniform")),
        ("sdxl", "hyper", (1024, 8, 1.0, "euler", "sgm_uniform")),
        ("sdxl", "dmd2", (1024, 4, 1.0, "lcm", "sgm_uniform")),
        ("sdxl_refiner", "", (1024, 25, 6.0, "dpmpp_2m", "automatic")),
    ],
)
def test_what_suits_a_model(
    family: str, variant: str, expected: tuple[int, int, float, str, str]
) -> None:
    model = ModelInfo(
        id="x", name="x", kind=CHECKPOINT, family=family, path=Path("x"), size_bytes=1,
        variant=variant,
    )  # fmt: skip
    found = FAMILIES[family].defaults(model)
    assert found.width == found.height
    told = (found.width, found.steps, found.guidance_scale, found.sampler, found.schedule)
    assert told == expected


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sdxl_refiner", "sd2"])
def test_the_headers_hold_what_the_library_reads(family: str) -> None:
    """The names are not only our own idea: the library's converter finds every tensor too."""
    with torch.device("meta"):
        tensors = {key: torch.empty(shape) for key, shape in original_unet(family).items()}
        model = UNet2DConditionModel.from_config(config(family, "unet"))
    converted = convert_ldm_unet_checkpoint(tensors, dict(model.config))
    assert {key: tuple(each.shape) for key, each in converted.items()} == unet(family)


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl", "sdxl_refiner"])
def test_a_folder_is_of_one_family(family: str) -> None:
    """The shipped descriptions are folders of diffusers without weights."""
    folder = sd15.CONFIG.parent / family
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    owners = [each.id for each in FAMILIES if each.detect_folder(index, folder) is not None]
    assert owners == [family]


def test_a_folder_tells_its_variant(tmp_path: Path) -> None:
    index = json.loads((sd15.CONFIG.parent / "sdxl" / "model_index.json").read_text("utf-8"))
    for part, file, said in (
        ("unet", "config.json", {"in_channels": 9, "cross_attention_dim": 2048}),
        ("scheduler", "scheduler_config.json", {"prediction_type": "v_prediction"}),
    ):
        (tmp_path / part).mkdir()
        (tmp_path / part / file).write_text(json.dumps(said))
    told = FAMILIES["sdxl"].detect_folder(index, tmp_path)
    assert told is not None
    assert told.variant == "inpaint v"
