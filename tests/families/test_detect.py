"""Which family a model belongs to, and what suits it, told without loading anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from webui.core.model import Header, ModelInfo, ModelKind, TensorHeader
from webui.families import load_families
from webui.families.ldm_layout import FIRST_LAYER
from webui.families.sd15 import FAMILY

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "models" / "starter"


def header(changes: dict[str, tuple[int, ...] | None] | None = None) -> Header:
    """A real Stable Diffusion 1.5's (names and shapes recorded from its configuration)."""
    shapes = json.loads((Path(__file__).parent / "sd15_header.json").read_text("utf-8"))
    tensors = {key: TensorHeader(dtype="F16", shape=tuple(shape)) for key, shape in shapes.items()}
    for key, shape in (changes or {}).items():
        tensors.pop(key)
        if shape is not None:
            tensors[key] = TensorHeader(dtype="F16", shape=shape)
    return tensors


def model(path: Path, is_starter: bool = False) -> ModelInfo:
    return ModelInfo(
        id=path.name,
        name=path.stem,
        kind=ModelKind.CHECKPOINT,
        family="sd15",
        path=path,
        size_bytes=0,
        is_starter=is_starter,
    )


def model_index(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "model_index.json").read_text("utf-8")))


def test_a_stable_diffusion_15_file_is_told_by_its_header() -> None:
    assert FAMILY.detect(header(), {})


def test_an_inpainting_file_is_of_the_family_too() -> None:
    assert FAMILY.detect(header({FIRST_LAYER: (320, 9, 3, 3)}), {})


@pytest.mark.parametrize(
    "other",
    [
        {
            "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": TensorHeader(
                dtype="F16", shape=(320, 8)
            )
        },
        {key: value for key, value in header().items() if key.startswith("first_stage_model.")},
        {},
    ],
    ids=["lora", "vae", "empty"],
)
def test_other_files_are_not_of_the_family(other: Header) -> None:
    assert not FAMILY.detect(other, {})


def test_a_folder_is_told_by_its_parts() -> None:
    assert FAMILY.detect_folder(model_index(STARTER), STARTER)
    assert FAMILY.detect_folder(model_index(FAMILY.config), FAMILY.config)


@pytest.mark.parametrize(
    "change",
    [
        {"_class_name": "FluxPipeline"},
        {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]},
        {"unet": ["diffusers", "UNet3DConditionModel"]},
        {"unet": None},
    ],
)
def test_other_folders_are_not_of_the_family(change: dict[str, object]) -> None:
    assert not FAMILY.detect_folder(model_index(STARTER) | change, STARTER)


def test_the_starter_model_draws_at_its_own_size() -> None:
    defaults = FAMILY.defaults(model(STARTER, is_starter=True))
    assert (defaults.width, defaults.height, defaults.steps) == (256, 256, 20)
    assert (defaults.guidance_scale, defaults.sampler, defaults.clip_skip) == (4.0, "dpmpp_2m", 1)


def test_a_single_file_draws_at_512() -> None:
    defaults = FAMILY.defaults(model(Path("somewhere/dream.safetensors")))
    assert (defaults.width, defaults.height, defaults.guidance_scale) == (512, 512, 7.0)


def test_a_folder_with_damaged_settings_still_has_defaults(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text("{")
    assert FAMILY.defaults(model(tmp_path)).width == 512


def test_a_folder_may_give_two_sample_sizes(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"sample_size": [64, 96]}')
    assert FAMILY.defaults(model(tmp_path)).height == 768


def test_every_family_has_an_id_of_its_own() -> None:
    ids = [family.id for family in load_families()]
    assert len(ids) == len(set(ids))
    assert {"sd15", "sd2", "sdxl", "sdxl_refiner"} <= set(ids)
