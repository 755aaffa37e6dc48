"""Networks put on a model and taken off it: names, weights, schedules, refusals, exactness."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.networks import layouts
from tests.networks.conftest import Load, use, weights
from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.engine.patcher import Patcher
from webui.families.components import TEXT_ENCODER, Components
from webui.prompting.networks import WeightPoint

pytestmark = pytest.mark.torch

TO_Q: Final = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TO_OUT: Final = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
TO_K: Final = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
CONV: Final = "up_blocks.0.resnets.1.conv1"
WORDS: Final = "encoder.layers.0.self_attn.q_proj"


def layer(loaded: Components, part: str, module: str) -> Tensor:
    """A weight as it is now."""
    found: Tensor = loaded.part(part).get_submodule(module).weight
    return found.detach().clone()


def every_layer(
    loaded: Components, rank: int = layouts.RANK
) -> dict[tuple[str, str], layouts.Parts]:
    """A LoRA for all attention, feed-forward and convolution layers, as LoCon trainers make."""
    layers = {}
    for part in ("unet", "text_encoder"):
        for name, module in loaded.part(part).named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                layers[part, name] = layouts.lora(tuple(module.weight.shape), rank)
    return layers


def unchanged(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> bool:
    """Whether all weights are the same to the last bit."""
    return all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_taken_off_again_every_weight_is_what_it_was(
    load_tiny: Load, tmp_path: Path, dtype: torch.dtype
) -> None:
    model = load_tiny(dtype)
    before, patcher = weights(model), Patcher(model)
    path = layouts.written(tmp_path / "a.safetensors", every_layer(model))
    assert patcher.apply([use(path, unet_weight=1.3)])
    assert not unchanged(before, weights(model))
    assert patcher.apply([use(path, unet_weight=-0.4, text_weight=0.6)])
    assert patcher.release()
    assert unchanged(before, weights(model))
    assert patcher.held_bytes == 0


def test_weight_0_changes_nothing(patcher: Patcher, loaded: Components, tmp_path: Path) -> None:
    before = weights(loaded)
    path = layouts.written(tmp_path / "a.safetensors", every_layer(loaded))
    assert not patcher.apply([use(path, text_weight=0.0, unet_weight=0.0)])
    assert unchanged(before, weights(loaded))


def test_the_same_networks_again_are_no_work_and_no_news(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    path = layouts.written(tmp_path / "a.safetensors", every_layer(loaded))
    assert patcher.apply([use(path)])
    assert not patcher.apply([use(path)])
    assert not patcher.apply([use(path, unet_weight=0.3)])
    assert patcher.apply([use(path, unet_weight=0.3, text_weight=0.3)])
    assert patcher.apply([])


def test_what_a_failure_undid_is_told_with_the_next_answer(load_tiny: Load, tmp_path: Path) -> None:
    model = load_tiny(torch.float32)
    before, patcher = weights(model), Patcher(model)
    good = layouts.written(tmp_path / "a.safetensors", every_layer(model))
    parts = layouts.lora((32, 32))
    parts["lora_up.weight"] = torch.zeros(32, 3)
    bad = layouts.written(tmp_path / "b.safetensors", {("unet", TO_Q): parts})
    assert patcher.apply([use(good)])
    with pytest.raises(ModelUnreadable, match=f"“b” can't be used: its layer {TO_Q} is damaged"):
        patcher.apply([use(good), use(bad)])
    assert unchanged(before, weights(model))
    assert patcher.apply([])


def test_a_file_that_changed_is_read_again(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    path = layouts.written(tmp_path / "a.safetensors", {("unet", TO_Q): layouts.lora((32, 32))})
    patcher.apply([use(path)])
    first = layer(loaded, "unet", TO_Q)
    path.unlink()
    layouts.written(path, {("unet", TO_Q): layouts.lora((32, 32), rank=5)})
    patcher.apply([use(path)])
    assert not torch.equal(first, layer(loaded, "unet", TO_Q))


NAMES: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "kohya": ("lora_unet_", "lora_te_text_model_", {}),
    "kohya XL, first encoder": ("lora_unet_", "lora_te1_text_model_", {}),
    "kohya XL, original names": (
        "lora_unet_",
        "lora_te1_text_model_",
        {
            "down_blocks_0_attentions_0": "input_blocks_1_1",
            "mid_block_attentions_0": "middle_block_1",
            "up_blocks_0_resnets_1_conv1": "output_blocks_1_0_in_layers_2",
        },
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_kohyas_trainer(
    patcher: Patcher, loaded: Components, tmp_path: Path, case: str
) -> None:
    unet, words, swaps = NAMES[case]

    def name_of(part: str, module: str) -> str:
        flat = module.replace(".", "_")
        for ours, theirs in swaps.items():
            flat = flat.replace(ours, theirs)
        return (unet if part == "unet" else words) + flat

    assert_all_used(patcher, loaded, tmp_path, name_of)


@pytest.mark.parametrize("words", ["text_encoder.text_model.", "text_encoder."])
@pytest.mark.parametrize("wrapper", ["", "base_model.model."])
@pytest.mark.parametrize("unet", ["unet.", "", "diffusion_model."])
def test_names_of_diffusers_and_peft(
    patcher: Patcher, loaded: Components, tmp_path: Path, unet: str, words: str, wrapper: str
) -> None:
    def name_of(part: str, module: str) -> str:
        return wrapper + (unet if part == "unet" else words) + module

    assert_all_used(patcher, loaded, tmp_path, name_of, layouts.as_peft)


def assert_all_used(
    patcher: Patcher,
    loaded: Components,
    tmp_path: Path,
    name_of: layouts.NameOf,
    rename: Callable[[layouts.Parts], layouts.Parts] = dict,
) -> None:
    """That a network with these names does what the same does with kohya's."""
    places = [("unet", TO_Q), ("unet", TO_OUT), ("unet", CONV), ("text_encoder", WORDS)]
    parts = {place: layouts.lora(tuple(layer(loaded, *place).shape)) for place in places}
    for tensors in parts.values():
        del tensors["alpha"]
    patcher.apply([use(layouts.written(tmp_path / "kohya.safetensors", parts))])
    expected = weights(loaded)
    renamed = {place: rename(tensors) for place, tensors in parts.items()}
    patcher.apply([use(layouts.written(tmp_path / "a.safetensors", renamed, name_of))])
    assert patcher.notes == ()
    assert unchanged(expected, weights(loaded))


def test_names_of_early_diffusers(patcher: Patcher, loaded: Components, tmp_path: Path) -> None:
    parts = {name: layouts.lora((64, 64)) for name in ("to_q", "to_out")}
    attention = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor."
    tensors = {
        f"{attention}{name}_lora.{end}.weight": tensors[f"lora_{end}.weight"]
        for name, tensors in parts.items()
        for end in ("up", "down")
    }
    before = weights(loaded)
    save_file(tensors, tmp_path / "a.safetensors")
    patcher.apply([use(tmp_path / "a.safetensors")])
    assert patcher.notes == ()
    after = weights(loaded)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    root = "unet.mid_block.attentions.0.transformer_blocks.0.attn1."
    assert changed == {f"{root}to_q.weight", f"{root}to_out.0.weight"}


def test_the_alpha_that_diffusers_keeps_in_the_metadata_counts(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    before, parts = layer(loaded, "unet", TO_Q), layouts.lora((32, 32))
    file = layouts.written(
        tmp_path / "a.safetensors",
        {("unet", TO_Q): layouts.as_peft(parts)},
        layouts.diffusers,
        layouts.peft_metadata("unet", alpha=8),
    )
    patcher.apply([use(file)])
    expected = 2 * parts["lora_up.weight"].double() @ parts["lora_down.weight"].double()
    assert torch.allclose(layer(loaded, "unet", TO_Q) - before, expected, atol=1e-7)


def test_text_and_unet_have_weights_of_their_own(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    places = [("unet", TO_Q), ("text_encoder", WORDS)]
    parts = {place: layouts.lora((32, 32)) for place in places}
    before = [layer(loaded, *place) for place in places]
    file = layouts.written(tmp_path / "a.safetensors", parts)
    patcher.apply([use(file)])
    whole = [layer(loaded, *place) - was for place, was in zip(places, before, strict=True)]
    patcher.apply([use(file, unet_weight=0.5, text_weight=-2.0)])
    now = [layer(loaded, *place) - was for place, was in zip(places, before, strict=True)]
    assert torch.allclose(now[0], 0.5 * whole[0], atol=1e-9)
    assert torch.allclose(now[1], -2.0 * whole[1], atol=1e-9)


def test_blocks_have_weights_of_their_own(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    blocks = {"IN01": 0.5, "MID": 0.0, "OUT01": -1.0, "BASE": 2.0}
    places = {
        ("unet", TO_Q): 0.5,
        ("unet", TO_OUT): 0.0,
        ("unet", CONV): -1.0,
        ("unet", "up_blocks.1.resnets.0.conv1"): 1.0,
        ("text_encoder", WORDS): 2.0,
    }
    before = {place: layer(loaded, *place) for place in places}
    parts = {place: layouts.lora(tuple(was.shape)) for place, was in before.items()}
    file = layouts.written(tmp_path / "a.safetensors", parts)
    patcher.apply([use(file)])
    whole = {place: layer(loaded, *place) - before[place] for place in places}
    patcher.apply([use(file, blocks=blocks)])
    for place, factor in places.items():
        now = layer(loaded, *place) - before[place]
        assert torch.allclose(now, factor * whole[place], atol=1e-9), place


def test_a_schedule_changes_the_unets_weight_over_the_run(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    places = [("unet", TO_Q), ("text_encoder", WORDS)]
    file = layouts.written(
        tmp_path / "a.safetensors", {place: layouts.lora((32, 32)) for place in places}
    )
    points = tuple(WeightPoint(weight=w, start=s) for w, s in ((0.0, 0.0), (1.0, 0.4), (0.5, 0.8)))
    patcher.apply([use(file, text_weight=1.0)])
    whole, words = (layer(loaded, *place) for place in places)
    patcher.apply([])
    plain = layer(loaded, "unet", TO_Q)
    patcher.apply([use(file, text_weight=1.0, schedule=points)])
    for fraction, weight in ((0.0, 0.0), (0.35, 0.0), (0.4, 1.0), (0.79, 1.0), (1.0, 0.5), (0, 0)):
        patcher.at(fraction)
        expected = plain + weight * (whole - plain)
        assert torch.allclose(layer(loaded, "unet", TO_Q), expected, atol=1e-9)
        assert torch.equal(layer(loaded, "text_encoder", WORDS), words)


def test_a_network_of_another_family_is_refused_with_the_reason(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    before = weights(loaded)
    parts = {("unet", TO_K): layouts.lora((64, 768)), ("unet", TO_Q): layouts.lora((32, 32))}
    file = layouts.written(tmp_path / "style.safetensors", parts)
    with pytest.raises(InvalidRequest) as refused:
        patcher.apply([use(file)])
    assert refused.value.field == "prompt"
    assert "“style” was made for Stable Diffusion 1.5" in str(refused.value)
    assert "its text is 768 wide, this model's text encoder is 32 wide" in str(refused.value)
    assert unchanged(before, weights(loaded))


def test_a_network_for_another_text_encoder_is_refused_with_both_widths(
    patcher: Patcher, tmp_path: Path
) -> None:
    parts = {
        ("text_encoder", "encoder.layers.0.mlp.fc2"): layouts.lora((768, 3072)),
        ("text_encoder", "encoder.layers.0.mlp.fc1"): layouts.lora((3072, 768)),
    }
    file = layouts.written(tmp_path / "style.safetensors", parts)
    with pytest.raises(InvalidRequest, match="768 wide, this model's text encoder is 32 wide"):
        patcher.apply([use(file)])


def test_a_network_with_nothing_for_this_model_is_refused(patcher: Patcher, tmp_path: Path) -> None:
    parts = {("transformer", "single_blocks.0.linear1"): layouts.lora((64, 64))}
    file = layouts.written(
        tmp_path / "flux.safetensors", parts, lambda part, module: f"{part}.{module}"
    )
    with pytest.raises(InvalidRequest, match=r"1 of its 1 layers are not here .*single_blocks"):
        patcher.apply([use(file)])


def test_a_network_that_fits_partly_says_so(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    wider = layouts.lora((32, 9, 3, 3))  # of an inpainting model
    places = {("unet", TO_Q): layouts.lora((32, 32)), ("unet", CONV): layouts.lora((64, 96, 3, 3))}
    tensors = {
        f"{layouts.kohya(*place)}.{name}": tensor
        for place, parts in {**places, ("unet", "conv_in"): wider}.items()
        for name, tensor in parts.items()
    }
    tensors["lora_te2_text_model_encoder_layers_0_mlp_fc1.diff"] = torch.zeros(2, 2)
    tensors["lora_unet_mid_block.sparkle"] = torch.zeros(2)
    save_file(tensors, tmp_path / "a.safetensors")
    patcher.apply([use(tmp_path / "a.safetensors")])
    (note,) = patcher.notes
    assert "fits partly: 2 of its 4 layers are used" in note
    assert "1 are for layers that this model does not have" in note
    assert "1 have another size" in note
    assert "1 tensors are of no known kind (the first is lora_unet_mid_block.sparkle)" in note


def test_embeddings_come_along_in_a_network(
    patcher: Patcher, loaded: Components, tmp_path: Path
) -> None:
    parts = {f"{layouts.kohya('unet', TO_Q)}.{k}": v for k, v in layouts.lora((32, 32)).items()}
    vectors = torch.ones(2, 32)
    save_file(
        {**parts, "bundle_emb.inkword.string_to_param.*": vectors}, tmp_path / "a.safetensors"
    )
    assert patcher.apply([use(tmp_path / "a.safetensors")])
    assert torch.equal(patcher.embeddings["inkword"][TEXT_ENCODER], vectors)
    assert patcher.notes == ()
    assert patcher.apply([])
    assert not patcher.embeddings


def test_a_missing_or_damaged_file_is_told(patcher: Patcher, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="“gone” can't be used: its file is gone"):
        patcher.apply([use(tmp_path / "gone.safetensors")])
    file = layouts.written(tmp_path / "a.safetensors", {("unet", TO_Q): layouts.lora((32, 32))})
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ModelUnreadable, match="cut short"):
        patcher.apply([use(file)])
    save_file({"lora_unet_x.sparkle": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(ModelUnreadable, match="none of its 1 tensors"):
        patcher.apply([use(tmp_path / "b.safetensors")])


@pytest.mark.slow
def test_fifty_switches_leave_the_memory_flat(load_tiny: Load, tmp_path: Path) -> None:
    model = load_tiny(torch.float32)
    patcher, process = Patcher(model), psutil.Process(os.getpid())
    before = weights(model)
    files = [
        layouts.written(tmp_path / f"{name}.safetensors", every_layer(model, rank=64))
        for name in "abc"
    ]
    sizes = []
    for index in range(60):
        patcher.apply([use(files[index % 3]), use(files[(index + 1) % 3], unet_weight=0.3)])
        if index % 5 == 4:
            patcher.release()
        gc.collect()
        sizes.append(process.memory_info().rss)
    patcher.release()
    one = files[0].stat().st_size
    assert max(sizes[10:]) - sizes[9] < 2 * one  # 50 that stayed would be 50 of them
    assert unchanged(before, weights(model))
