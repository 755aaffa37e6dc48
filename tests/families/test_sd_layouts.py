"""Stable Diffusion 1, 2, XL and the refiner hold the same weights from whatever layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.families.tiny_layouts import (
    FAMILIES,
    PLACEMENT,
    TinyModel,
    Written,
    assert_holds,
    make_tiny,
    write_folder,
    write_unet,
    write_whole,
)
from webui.core.errors import ModelUnreadable
from webui.families.components import Placement, Prediction
from webui.families.ldm_layout import FIRST_LAYER, UNET, VAE

pytestmark = pytest.mark.torch

LAYOUTS: Mapping[str, Callable[[TinyModel, Path], Written]] = {
    "whole": write_whole,
    "folder": write_folder,
    "folder, fp16 variant": lambda tiny, folder: write_folder(tiny, folder, variant="fp16"),
    "folder, in shards": lambda tiny, folder: write_folder(tiny, folder, shard="100KB"),
    "unet with prefix": lambda tiny, folder: write_unet(tiny, folder, "prefixed", "transformers"),
    "unet without prefix": lambda tiny, folder: write_unet(tiny, folder, "bare", "open_clip"),
    "unet of diffusers": lambda tiny, folder: write_unet(tiny, folder, "diffusers", "open_clip"),
}


@pytest.fixture(scope="module")
def tinies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TinyModel]:
    return {family: make_tiny(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


USUAL = ("whole", "folder", "unet without prefix")


def layouts() -> list[object]:
    """Each of SDXL; of the others what the default set has time for."""
    return [
        pytest.param(
            family, layout, marks=[] if family == "sdxl" or layout in USUAL else [pytest.mark.slow]
        )
        for family in FAMILIES
        for layout in LAYOUTS
    ]


@pytest.mark.parametrize(("family", "layout"), layouts())
def test_each_layout_holds_the_same_weights(
    tinies: Mapping[str, TinyModel], family: str, layout: str, tmp_path: Path
) -> None:
    tiny = tinies[family]
    components = tiny.load(LAYOUTS[layout](tiny, tmp_path))
    assert_holds(components, tiny.parts)
    assert components.text_encoders.keys() == components.tokenizers.keys()


@pytest.mark.parametrize("family", [pytest.param("sd2", marks=pytest.mark.slow), "sdxl"])
def test_files_of_half_precision_load_in_the_precision_asked_for(
    tinies: Mapping[str, TinyModel], family: str, tmp_path: Path
) -> None:
    tiny = tinies[family]
    file = tmp_path / "half.safetensors"
    for dtype in (torch.float16, torch.bfloat16):
        save_file({key: tensor.to(dtype) for key, tensor in tiny.whole.items()}, file)
        loaded = tiny.family.load(file, Placement(device=torch.device("cpu"), dtype=torch.float32))
        expected = {
            part: {key: tensor.to(dtype).float() for key, tensor in state.items()}
            for part, state in tiny.parts.items()
        }
        assert_holds(loaded, expected)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_tokenizers_fill_up_as_their_encoders_learned(
    tinies: Mapping[str, TinyModel], family: str, tmp_path: Path
) -> None:
    tokenizers = tinies[family].load(write_whole(tinies[family], tmp_path)).tokenizers
    expected = {"sd15": [49407], "sd2": [0], "sdxl": [49407, 0], "sdxl_refiner": [0]}[family]
    assert [tokenizers[name].pad_token_id for name in sorted(tokenizers)] == expected
    cat = [49406, 320, 1125, 539, 320, 2368, 49407]
    assert all(each("a photo of a cat").input_ids == cat for each in tokenizers.values())


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl"])
def test_inpainting_models_keep_their_nine_inputs(
    tinies: Mapping[str, TinyModel], family: str, tmp_path: Path
) -> None:
    wide = torch.randn(32, 9, 3, 3, generator=torch.Generator().manual_seed(0))
    tiny = tinies[family]
    loaded = tiny.load(write_whole(tiny, tmp_path, **{FIRST_LAYER: wide}))
    assert torch.equal(loaded.diffusion_model.conv_in.weight, wide)
    assert loaded.diffusion_model.config.in_channels == 9


def test_leaner_relatives_of_sdxl_leave_layers_out(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    """As SSD-1B: no attention in the middle, fewer layers in one attention than in its sister."""
    tiny = tinies["sdxl"]
    left_out = (
        f"{UNET}middle_block.1.",
        f"{UNET}middle_block.2.",
        f"{UNET}output_blocks.1.1.transformer_blocks.1.",
    )
    whole = {key: part for key, part in tiny.whole.items() if not key.startswith(left_out)}
    save_file(whole, tmp_path / "lean.safetensors")
    unet = tiny.load(Written(path=tmp_path / "lean.safetensors")).diffusion_model
    attentions = unet.up_blocks[0].attentions
    assert [len(attention.transformer_blocks) for attention in attentions] == [2, 1]
    assert "mid_block.attentions.0.norm.weight" not in unet.state_dict()
    assert len(unet.state_dict()) == sum(key.startswith(UNET) for key in whole)


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl"])
def test_marks_say_that_a_network_answers_velocity(
    tinies: Mapping[str, TinyModel], family: str, tmp_path: Path
) -> None:
    tiny = tinies[family]
    plain = tiny.load(write_whole(tiny, tmp_path))
    assert (plain.prediction, plain.has_zero_terminal_snr) == (Prediction.EPSILON, False)
    marks = {"v_pred": torch.empty(0), "ztsnr": torch.empty(0)}
    marked = tiny.load(write_whole(tiny, tmp_path, **marks))
    assert (marked.prediction, marked.has_zero_terminal_snr) == (Prediction.VELOCITY, True)


def test_a_folder_says_how_it_was_trained(tinies: Mapping[str, TinyModel], tmp_path: Path) -> None:
    folder = write_folder(tinies["sdxl"], tmp_path)
    settings = tmp_path / "scheduler" / "scheduler_config.json"
    said = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | said), "utf-8")
    loaded = tinies["sdxl"].load(folder)
    assert (loaded.prediction, loaded.has_zero_terminal_snr) == (Prediction.VELOCITY, True)


@pytest.mark.parametrize(
    ("metadata", "beside", "expected"),
    [
        ({"modelspec.prediction_type": "v"}, "", Prediction.VELOCITY),
        ({"modelspec.prediction_type": "epsilon"}, "parameterization: v", Prediction.EPSILON),
        ({}, 'model:\n  params:\n    parameterization: "v"\n', Prediction.VELOCITY),
        ({}, "model:\n  params:\n    parameterization: eps\n", Prediction.EPSILON),
    ],
)
def test_sd2_files_are_believed_what_is_said_of_them(
    tinies: Mapping[str, TinyModel],
    tmp_path: Path,
    metadata: dict[str, str],
    beside: str,
    expected: Prediction,
) -> None:
    """The bias would make the network itself say the other thing."""
    bias = torch.full((4,), -2.0 if expected is Prediction.EPSILON else 0.0)
    tensors = tinies["sd2"].whole | {f"{UNET}out.2.bias": bias}
    save_file(tensors, tmp_path / "two.safetensors", metadata)
    if beside:
        (tmp_path / "two.yaml").write_text(beside)
    loaded = tinies["sd2"].load(Written(path=tmp_path / "two.safetensors"))
    assert loaded.prediction is expected


@pytest.mark.parametrize(("bias", "expected"), [(0.5, "epsilon"), (-1.5, "v_prediction")])
def test_an_sd2_network_is_asked_where_nothing_is_said(
    tinies: Mapping[str, TinyModel], tmp_path: Path, bias: float, expected: str
) -> None:
    """It is shown 0.5 and answers about 0.5 (the noise), or far below (the opposite)."""
    answer = {f"{UNET}out.2.bias": torch.full((4,), bias)}
    loaded = tinies["sd2"].load(write_whole(tinies["sd2"], tmp_path, **answer))
    assert loaded.prediction == expected


def lacking(tiny: TinyModel, folder: Path, *starts: str) -> Written:
    whole = {key: part for key, part in tiny.whole.items() if not key.startswith(starts)}
    save_file(whole, folder / "part.safetensors")
    return Written(path=folder / "part.safetensors")


@pytest.mark.parametrize(
    ("family", "start", "says"),
    [
        ("sd2", "cond_stage_model.", r"no text encoder \(OpenCLIP-H\).*clip_h\.safetensors"),
        ("sdxl", "conditioner.embedders.0.", r"no text encoder \(CLIP-L\)"),
        ("sdxl", "conditioner.embedders.1.", r"\(CLIP-G\).*models/text_encoders"),
        ("sdxl", VAE, "no VAE.*models/VAE"),
        ("sdxl", UNET, "no UNet"),
        ("sdxl", f"{UNET}middle_block.0.", "tensors are missing"),
        ("sdxl", "conditioner.embedders.1.model.ln_final", "tensors are missing"),
    ],
)
def test_a_file_that_lacks_a_part_says_which(
    tinies: Mapping[str, TinyModel], tmp_path: Path, family: str, start: str, says: str
) -> None:
    with pytest.raises(ModelUnreadable, match=says):
        tinies[family].load(lacking(tinies[family], tmp_path, start))


def test_a_text_encoder_of_another_kind_is_refused(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    tiny = tinies["sdxl"]
    written = write_unet(tiny, tmp_path, "bare", "transformers")
    parts = {**written.parts, "clip_l": written.parts["clip_g"]}
    with pytest.raises(ModelUnreadable, match=r"clip_g.* has the shape"):
        tiny.family.load(written.path, PLACEMENT, parts)


def test_a_vae_of_another_family_is_refused(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    tiny = tinies["sdxl"]
    written = write_unet(tiny, tmp_path, "bare", "transformers")
    vae = load_file(written.parts["vae"])
    wide = vae["decoder.conv_in.weight"].repeat(1, 4, 1, 1)
    save_file(vae | {"decoder.conv_in.weight": wide}, written.parts["vae"])
    with pytest.raises(ModelUnreadable, match="latents of 16 channels, the model makes 4"):
        tiny.load(written)


@pytest.mark.parametrize(
    ("family", "extra", "says"),
    [
        ("sd2", {FIRST_LAYER: torch.zeros(32, 5, 3, 3)}, "how far away"),
        ("sd2", {FIRST_LAYER: torch.zeros(32, 7, 3, 3)}, "upscaler"),
        ("sd2", {"noise_augmentor.data_mean": torch.zeros(1)}, "unCLIP"),
        ("sdxl", {"edm_mean": torch.zeros(4)}, "EDM"),
        ("sd15", {"cc_projection.weight": torch.zeros(2, 2)}, "Zero123"),
        ("sdxl", {FIRST_LAYER: torch.zeros(32, 13, 3, 3)}, "another number of channels"),
    ],
)
def test_relatives_that_cant_be_run_are_refused_by_name(
    tinies: Mapping[str, TinyModel],
    tmp_path: Path,
    family: str,
    extra: dict[str, torch.Tensor],
    says: str,
) -> None:
    with pytest.raises(ModelUnreadable, match=says):
        tinies[family].load(write_whole(tinies[family], tmp_path, **extra))
