"""Loading Stable Diffusion 1 from every layout it comes in, and what is said when that fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from webui.core.errors import ModelUnreadable
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.families.components import TEXT_ENCODER, Components, Placement, Prediction
from webui.families.ldm_layout import FIRST_LAYER
from webui.families.sd15 import CONFIG, FAMILY, StableDiffusion15

pytestmark = pytest.mark.torch

PLACEMENT = Placement(device=torch.device("cpu"), dtype=torch.float32)
STARTER = Path(__file__).parents[2] / "models" / "starter"
TEXT = "cond_stage_model.transformer."
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_description(tmp_path_factory.mktemp("tiny") / "description")


@pytest.fixture(scope="module")
def tensors(description: Path) -> Tensors:
    return tiny_tensors(description)


@pytest.fixture
def load(description: Path, tmp_path: Path) -> Callable[[Tensors], Components]:
    """Loads tensors as a single file of the tiny family."""

    def load(tensors: Tensors) -> Components:
        file = tmp_path / "tiny.safetensors"
        save_file(tensors, file)
        return StableDiffusion15(description).load(file, PLACEMENT)

    return load


@pytest.fixture
def folder(description: Path, tensors: Tensors, tmp_path: Path) -> Path:
    """The tiny model as diffusers saves it, made by diffusers' own reader of single files."""
    file = tmp_path / "whole.safetensors"
    save_file(tensors, file)
    target = tmp_path / "folder"
    shutil.copytree(description, target)
    for kind, part in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")):
        model = kind.from_single_file(
            str(file), config=str(description), subfolder=part, local_files_only=True
        )
        model.save_pretrained(target / part)
    config = CLIPTextConfig.from_dict(read(description / "text_encoder" / "config.json"))
    text_encoder = CLIPTextModel(config)
    state = {
        key: tensors[f"{TEXT}text_model.{key.removeprefix('text_model.')}"]
        for key in text_encoder.state_dict()
    }
    text_encoder.load_state_dict(state)
    text_encoder.save_pretrained(target / "text_encoder")
    return target


def read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text("utf-8")))


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(read(file) | changes), "utf-8")


def state(components: Components) -> dict[str, Mapping[str, Tensor]]:
    return {
        "unet": components.diffusion_model.state_dict(),
        "vae": components.vae.state_dict(),
        "text_encoder": components.text_encoders[TEXT_ENCODER].state_dict(),
    }


def assert_same(one: Components, other: Components) -> None:
    for part, weights in state(one).items():
        others = state(other)[part]
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[key], others[key]) for key in weights)


def without(tensors: Tensors, prefix: str) -> Tensors:
    return {key: value for key, value in tensors.items() if not key.startswith(prefix)}


def renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {key.replace(old, new): value for key, value in tensors.items()}


def test_a_single_file_holds_what_its_folder_holds(
    load: Callable[[Tensors], Components], tensors: Tensors, folder: Path
) -> None:
    assert_same(load(tensors), FAMILY.load(folder, PLACEMENT))


def test_the_starter_is_loaded_as_diffusers_loads_it() -> None:
    ours = FAMILY.load(STARTER, PLACEMENT)
    kwargs: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True}
    unet = UNet2DConditionModel.from_pretrained(STARTER, subfolder="unet", **kwargs)
    vae = AutoencoderKL.from_pretrained(STARTER, subfolder="vae", **kwargs)
    text_encoder = CLIPTextModel.from_pretrained(STARTER, subfolder="text_encoder", **kwargs)
    theirs = replace(
        ours, diffusion_model=unet, vae=vae, text_encoders={TEXT_ENCODER: text_encoder}
    )
    assert_same(ours, theirs)
    ids = torch.arange(77)[None]
    torch.testing.assert_close(ours.text_encoders[TEXT_ENCODER](ids)[0], text_encoder(ids)[0])


def test_a_real_file_has_every_tensor_that_the_networks_want() -> None:
    """The recorded header against the shipped description; diffusers converts its names too."""
    from diffusers.loaders.single_file_utils import (
        convert_ldm_unet_checkpoint,
        convert_ldm_vae_checkpoint,
    )

    shapes = read(Path(__file__).parent / "sd15_header.json")
    with torch.device("meta"):
        recorded = {key: torch.empty(shape) for key, shape in shapes.items()}
        unet = UNet2DConditionModel.from_config(read(CONFIG / "unet" / "config.json"))
        vae = AutoencoderKL.from_config(read(CONFIG / "vae" / "config.json"))
    for model, convert in (
        (unet, convert_ldm_unet_checkpoint),
        (vae, convert_ldm_vae_checkpoint),
    ):
        converted = convert(dict(recorded), dict(model.config))
        wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        found = {key: tuple(value.shape) for key, value in converted.items()}
        assert found == wanted
    assert sum(value.numel() for value in recorded.values()) == 1_066_235_307


def test_the_shipped_tokenizer_is_clips() -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(CONFIG / "tokenizer", local_files_only=True)
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer.pad_token_id == 49407


def test_text_encoders_are_known_by_either_name(
    load: Callable[[Tensors], Components], tensors: Tensors
) -> None:
    assert_same(load(renamed(tensors, f"{TEXT}text_model.", TEXT)), load(tensors))


def test_tensors_that_nobody_needs_are_ignored(
    load: Callable[[Tensors], Components], tensors: Tensors
) -> None:
    extra = {
        f"{TEXT}text_model.embeddings.position_ids": torch.arange(77)[None],
        "model_ema.decay": torch.tensor(0.99),
        "alphas_cumprod": torch.zeros(1000),
    }
    assert_same(load(tensors | extra), load(tensors))


def test_half_precision_files_load_in_the_precision_asked_for(
    description: Path, tensors: Tensors, tmp_path: Path
) -> None:
    file = tmp_path / "half.safetensors"
    save_file({key: value.half() for key, value in tensors.items()}, file)
    placement = Placement(device=torch.device("cpu"), dtype=torch.bfloat16, is_channels_last=True)
    components = StableDiffusion15(description).load(file, placement)
    assert {value.dtype for part in state(components).values() for value in part.values()} == {
        torch.bfloat16
    }
    weight = components.diffusion_model.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_loaded_model_outlives_its_file(
    load: Callable[[Tensors], Components], tensors: Tensors, tmp_path: Path
) -> None:
    components = load(tensors)
    before = components.diffusion_model.conv_in.weight.clone()
    (tmp_path / "tiny.safetensors").write_bytes(b"")  # what an interrupted download leaves
    assert torch.equal(components.diffusion_model.conv_in.weight, before)


def test_a_file_may_say_that_it_predicts_velocity(
    load: Callable[[Tensors], Components], tensors: Tensors
) -> None:
    assert load(tensors).prediction is Prediction.EPSILON
    assert load(tensors | {"v_pred": torch.empty(0)}).prediction is Prediction.VELOCITY


def test_a_folder_may_say_that_it_predicts_velocity(folder: Path) -> None:
    change(folder / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    assert FAMILY.load(folder, PLACEMENT).prediction is Prediction.VELOCITY


def test_a_folder_may_hold_only_the_half_precision_variant(folder: Path) -> None:
    whole = FAMILY.load(folder, PLACEMENT)
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert_same(FAMILY.load(folder, PLACEMENT), whole)


def test_attention_of_old_vae_folders_is_found(folder: Path) -> None:
    whole = FAMILY.load(folder, PLACEMENT)
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value")):
        weights = renamed(weights, f".{new}.", f".{old}.")
    save_file(renamed(weights, ".to_out.0.", ".proj_attn."), file)
    assert_same(FAMILY.load(folder, PLACEMENT), whole)


def test_betas_follow_the_models_schedule(folder: Path) -> None:
    scaled = FAMILY.load(folder, PLACEMENT).betas
    reference = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    assert scaled == pytest.approx(reference.tolist())
    change(folder / "scheduler" / "scheduler_config.json", beta_schedule="linear")
    linear = FAMILY.load(folder, PLACEMENT).betas
    assert linear == pytest.approx(torch.linspace(0.00085, 0.012, 1000).tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("first_stage_model.", "has no VAE"),
        ("cond_stage_model.", "no text encoder"),
        ("model.diffusion_model.", "has no UNet"),
        ("model.diffusion_model.middle_block.0.", "tensors are missing"),
    ],
)
def test_a_file_that_lacks_a_part_says_which(
    load: Callable[[Tensors], Components], tensors: Tensors, prefix: str, says: str
) -> None:
    with pytest.raises(ModelUnreadable, match=says):
        load(without(tensors, prefix))


@pytest.mark.parametrize(
    ("channels", "kind"), [(7, "upscaler"), (5, "far away"), (6, "another number")]
)
def test_models_with_other_inputs_are_refused_by_name(
    load: Callable[[Tensors], Components], tensors: Tensors, channels: int, kind: str
) -> None:
    with pytest.raises(ModelUnreadable, match=kind):
        load(tensors | {FIRST_LAYER: torch.zeros(32, channels, 3, 3)})


def test_a_folder_with_other_inputs_is_refused_by_name(folder: Path) -> None:
    change(folder / "unet" / "config.json", in_channels=5)
    with pytest.raises(ModelUnreadable, match="far away"):
        FAMILY.load(folder, PLACEMENT)


def test_an_inpainting_file_keeps_its_nine_inputs(
    load: Callable[[Tensors], Components], tensors: Tensors
) -> None:
    wide = torch.randn(32, 9, 3, 3, generator=torch.Generator().manual_seed(0))
    unet = load(tensors | {FIRST_LAYER: wide}).diffusion_model
    assert torch.equal(unet.conv_in.weight, wide)
    answer = unet(torch.zeros(1, 9, 8, 8), 500, torch.zeros(1, 77, 32), return_dict=False)[0]
    assert answer.shape == (1, 4, 8, 8)


def test_an_inpainting_folder_is_its_file(
    load: Callable[[Tensors], Components], tensors: Tensors, folder: Path
) -> None:
    wide = torch.randn(32, 9, 3, 3, generator=torch.Generator().manual_seed(0))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(weights) | {"conv_in.weight": wide}, weights)
    change(folder / "unet" / "config.json", in_channels=9)
    assert_same(load(tensors | {FIRST_LAYER: wide}), FAMILY.load(folder, PLACEMENT))


def test_a_tensor_of_the_wrong_shape_is_named(
    load: Callable[[Tensors], Components], tensors: Tensors
) -> None:
    key = "model.diffusion_model.time_embed.0.weight"
    with pytest.raises(ModelUnreadable, match=r"time_embed\.0\.weight has the shape"):
        load(tensors | {key: torch.zeros(3, 3)})


def test_a_file_that_was_cut_short_says_so(
    load: Callable[[Tensors], Components], tensors: Tensors, tmp_path: Path, description: Path
) -> None:
    load(tensors)
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ModelUnreadable, match="cut short"):
        StableDiffusion15(description).load(file, PLACEMENT)


def test_a_model_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="is missing"):
        FAMILY.load(tmp_path / "gone.safetensors", PLACEMENT)


def test_a_folder_of_unsafe_files_is_refused(folder: Path) -> None:
    for file in (folder / "unet").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelUnreadable, match="holds no weights"):
        FAMILY.load(folder, PLACEMENT)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "starter"
    shutil.copytree(STARTER, broken)
    shard = next((broken / "unet").glob("*00002-of-00002.safetensors"))
    shard.unlink()
    with pytest.raises(ModelUnreadable, match=shard.name):
        FAMILY.load(broken, PLACEMENT)


@pytest.mark.parametrize(
    "part", ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"]
)
def test_a_damaged_configuration_is_named(folder: Path, part: str) -> None:
    (folder / part).write_text("{")
    with pytest.raises(ModelUnreadable, match=part):
        FAMILY.load(folder, PLACEMENT)


def test_a_damaged_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(ModelUnreadable, match="tokenizer"):
        FAMILY.load(folder, PLACEMENT)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"beta_schedule": "wavy"}, "wavy"),
        ({"prediction_type": "sample"}, "sample"),
    ],
)
def test_schedules_that_we_cant_run_are_refused(
    folder: Path, setting: dict[str, object], says: str
) -> None:
    change(folder / "scheduler" / "scheduler_config.json", **setting)
    with pytest.raises(ModelUnreadable, match=says):
        FAMILY.load(folder, PLACEMENT)
