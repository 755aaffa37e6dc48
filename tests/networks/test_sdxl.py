"""Networks for Stable Diffusion XL, under every name that its layers go by: two text encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from tests.networks import layouts
from tests.networks.conftest import use
from webui.engine.patcher import Patcher
from webui.engine.tiny_model import LAYERS_PER_BLOCK, write_checkpoint, write_description
from webui.families.components import Components, Placement
from webui.families.ldm_layout import UNET, unet_names
from webui.families.open_clip_layout import open_clip_names
from webui.families.sdxl import StableDiffusionXL
from webui.families.weights import Piece

pytestmark = pytest.mark.torch

PARTS: Final = ("unet", "text_encoder", "text_encoder_2")
WIDTH: Final = 48
"""Of the second text encoder."""
Layers = dict[tuple[str, str], layouts.Parts]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Components:
    root = tmp_path_factory.mktemp("xl")
    description = write_description(root / "description", "sdxl")
    file = write_checkpoint(root / "xl.safetensors", description, torch.float32, "sdxl")
    placement = Placement(device=torch.device("cpu"), dtype=torch.float64)
    return StableDiffusionXL(description).load(file, placement)


@pytest.fixture
def patcher(loaded: Components) -> Iterator[Patcher]:
    torch.manual_seed(1)
    made = Patcher(loaded)
    yield made
    made.release()


def every_layer(loaded: Components) -> Layers:
    """A LoRA for all linear layers and convolutions, but for what kohya's trainer leaves out."""
    layers = {}
    for part in PARTS:
        for name, module in loaded.part(part).named_modules():
            is_layer = isinstance(module, nn.Linear | nn.Conv2d)
            if is_layer and name != "text_projection":
                layers[part, name] = layouts.lora(tuple(module.weight.shape))
    return layers


def weights(loaded: Components, layers: Layers) -> Mapping[tuple[str, str], Tensor]:
    return {
        (part, name): loaded.part(part).get_submodule(name).weight.detach().clone()
        for part, name in layers
    }


def original(name: str) -> str:
    """A UNet's layer in the original layout."""
    key = f"{name}.weight"
    return (
        unet_names([*ENDS, key], LAYERS_PER_BLOCK)[key].removeprefix(UNET).removesuffix(".weight")
    )


ENDS: Final = ("up_blocks.0.attentions.0.norm.weight",)
"""Says which blocks have attention: where what makes the picture larger stands depends on it."""


def bare(module: str) -> str:
    return module.removeprefix("text_model.")


def kohya(part: str, module: str) -> str:
    if part == "unet":
        return f"lora_unet_{module.replace('.', '_')}"
    number = 2 if part == "text_encoder_2" else 1
    return f"lora_te{number}_text_model_{bare(module).replace('.', '_')}"


def kohya_original(part: str, module: str) -> str:
    if part == "unet":
        return f"lora_unet_{original(module).replace('.', '_')}"
    return kohya(part, module)


def comfy(part: str, module: str) -> str:
    if part == "unet":
        return f"diffusion_model.{original(module)}"
    letter = "g" if part == "text_encoder_2" else "l"
    return f"text_encoders.clip_{letter}.transformer.text_model.{bare(module)}"


def diffusers(part: str, module: str) -> str:
    return f"{part}.{module}" if part == "unet" else f"{part}.text_model.{bare(module)}"


@pytest.mark.parametrize("name_of", [kohya, kohya_original, comfy, diffusers])
def test_every_layer_is_found_by_its_name(
    patcher: Patcher,
    loaded: Components,
    tmp_path: Path,
    name_of: Callable[[str, str], str],
) -> None:
    layers = every_layer(loaded)
    before = weights(loaded, layers)
    patcher.apply([use(layouts.written(tmp_path / "a.safetensors", layers, name_of))])
    assert patcher.notes == ()
    for place, now in weights(loaded, layers).items():
        parts = {name: tensor.double() for name, tensor in layers[place].items()}
        up, down = parts["lora_up.weight"].flatten(1), parts["lora_down.weight"].flatten(1)
        change = (up @ down).reshape(now.shape) * (layouts.ALPHA / layouts.RANK)
        torch.testing.assert_close(now, before[place] + change)


def test_the_second_encoder_is_found_by_the_names_of_open_clip(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    """There queries, keys and values are one layer."""
    layers = {
        ("text_encoder_2", "transformer.resblocks.0.mlp.c_fc"): layouts.lora((64, WIDTH)),
        ("text_encoder_2", "transformer.resblocks.0.attn.in_proj"): layouts.lora(
            (3 * WIDTH, WIDTH)
        ),
    }

    def name_of(part: str, module: str) -> str:
        return f"lora_te2_{module.replace('.', '_')}"

    clip = loaded.text_encoders["text_encoder_2"]
    before = {key: weight.clone() for key, weight in clip.state_dict().items()}
    patcher.apply([use(layouts.written(tmp_path / "a.safetensors", layers, name_of))])
    assert patcher.notes == ()
    changed = [key for key, weight in clip.state_dict().items() if not weight.equal(before[key])]
    names = open_clip_names(changed, "", WIDTH)
    assert {name.key if isinstance(name, Piece) else name for name in names.values()} == {
        "transformer.resblocks.0.mlp.c_fc.weight",
        "transformer.resblocks.0.attn.in_proj_weight",
    }
    assert len(changed) == 4
