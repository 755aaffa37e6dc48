"""Flux and its T5 in fewer bits, in the original layout, where layers of the library are fused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.families import quantised_files as made
from tests.families.dit_models import (
    Tiny,
    encoder_tensors,
    make_flux,
    network_tensors,
    write_parts,
)
from tests.networks import layouts
from tests.networks.conftest import use
from webui.engine.patcher import Patcher
from webui.families import load_families
from webui.families.components import Components, Placement
from webui.families.quantised.layers import is_quantised
from webui.families.weights import TensorFiles

pytestmark = pytest.mark.torch

PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)
T5_NAMES: Final[Mapping[str, str]] = {
    "shared.weight": "token_embd.weight",
    "encoder.final_layer_norm.weight": "enc.output_norm.weight",
    "layer.0.layer_norm": "attn_norm",
    "layer.1.layer_norm": "ffn_norm",
    "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
    "layer.0.SelfAttention.": "attn_",
    "layer.1.DenseReluDense.wi_0": "ffn_gate",
    "layer.1.DenseReluDense.wi_1": "ffn_up",
    "layer.1.DenseReluDense.wo": "ffn_down",
    "encoder.block.": "enc.blk.",
}
"""llama.cpp's, in the order in which they are put in."""


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    return make_flux()


@pytest.fixture(scope="module")
def parts(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_parts(tiny, tmp_path_factory.mktemp("parts"))


def as_scaled(path: Path, tensors: made.Tensors) -> Path:
    return written(path, made.as_scaled_fp8(tensors, ""))


def as_nf4(path: Path, tensors: made.Tensors) -> Path:
    """As the first Flux files in nf4: every matrix of the network, behind its prefix."""
    found: made.Tensors = {}
    for key, tensor in tensors.items():
        name = f"model.diffusion_model.{key}"
        found |= made.as_nf4(tensor, name) if tensor.ndim == 2 else {name: tensor}
    return written(path, found)


def as_gguf(path: Path, tensors: made.Tensors) -> Path:
    found = {
        key: made.blocks("Q8_0", tuple(tensor.shape), float(tensor.std()) / 60)
        if tensor.ndim == 2 and tensor.shape[1] % 32 == 0 and "rel_b" not in key
        else made.plain(tensor)
        for key, tensor in tensors.items()
    }
    return made.write_gguf(path, found)


def written(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, path)
    return path


def true(path: Path, target: Path) -> Path:
    """The same with its true values."""
    with TensorFiles("tiny", [path]) as files:
        return written(target, {key: files.read(key) for key in files if "scaled_fp8" not in key})


def load(path: Path, parts: Mapping[str, Path]) -> Components:
    loaded: Components = load_families()["flux"].load(path, PLACEMENT, parts)
    return loaded


def answer(components: Components) -> Tensor:
    """What the network says of a latent of 2 x 3 tokens."""
    torch.manual_seed(4)
    said: Any = components.diffusion_model(
        hidden_states=torch.randn(1, 6, 64),
        encoder_hidden_states=torch.randn(1, 5, 80),
        pooled_projections=torch.randn(1, 32),
        timestep=torch.tensor([0.5]),
        guidance=torch.tensor([3.5]),
        img_ids=torch.randn(6, 3).round(),
        txt_ids=torch.zeros(5, 3),
        return_dict=False,
    )
    return said[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("write", [as_scaled, as_nf4, as_gguf])
def test_a_packed_flux_is_that_of_its_true_values(
    tiny: Tiny,
    parts: Mapping[str, Path],
    tmp_path: Path,
    write: Callable[[Path, made.Tensors], Path],
) -> None:
    path = write(tmp_path / "packed", network_tensors(tiny))
    packed = load(path, parts)
    for name in (  # rows of fused layers: of qkv, of all that a single block begins with
        "transformer_blocks.0.attn.to_k",
        "transformer_blocks.1.attn.add_v_proj",
        "single_transformer_blocks.0.proj_mlp",
        "norm_out.linear",
    ):
        assert is_quantised(packed.diffusion_model.get_submodule(name)), name
    with torch.inference_mode():
        wanted = answer(load(true(path, tmp_path / "true"), parts))
        assert torch.equal(answer(packed), wanted)
    assert wanted.std() > 0.01


@pytest.mark.parametrize("form", ["scaled", "GGUF"])
def test_a_packed_t5_is_that_of_its_true_values(
    tiny: Tiny, parts: Mapping[str, Path], tmp_path: Path, form: str
) -> None:
    network = written(tmp_path / "network", network_tensors(tiny))
    tensors = encoder_tensors(tiny.encoders["text_encoder_2"])
    if form == "GGUF":
        path = as_gguf(tmp_path / "packed", {_ggml_name(key): t for key, t in tensors.items()})
    else:
        path = as_scaled(tmp_path / "packed", tensors)
    plain = true(path, tmp_path / "true")
    said = []
    for file in (path, plain):
        encoder = load(network, {**parts, "t5xxl": file}).text_encoders["text_encoder_2"]
        assert any(is_quantised(layer) for layer in encoder.modules()) == (file == path)
        with torch.inference_mode():
            said.append(encoder(input_ids=torch.tensor([[3, 9, 7, 1]]))[0])
    assert torch.equal(*said)


def _ggml_name(key: str) -> str:
    for theirs, ours in T5_NAMES.items():
        key = key.replace(theirs, ours)
    return key


def test_a_lora_for_fused_layers_changes_packed_ones(
    tiny: Tiny, parts: Mapping[str, Path], tmp_path: Path
) -> None:
    path = as_nf4(tmp_path / "packed", network_tensors(tiny))
    models = [load(path, parts), load(true(path, tmp_path / "true"), parts)]
    sides = {"double_blocks_0_img_attn_qkv": (192, 64), "single_blocks_0_linear1": (448, 64)}
    lora = {
        f"lora_unet_{name}.{part}": tensor
        for name, shape in sides.items()
        for part, tensor in layouts.lora(shape).items()
    }
    network = use(written(tmp_path / "a.safetensors", lora))
    patchers = [Patcher(model) for model in models]
    with torch.inference_mode():
        plain = answer(models[0])
        for patcher in patchers:
            patcher.apply([network])
        changed = [answer(model) for model in models]
        patchers[0].release()
        # one rounding of float32: the product is added in one step
        torch.testing.assert_close(*changed, rtol=1e-4, atol=1e-5)
        assert not torch.equal(changed[0], plain)
        assert torch.equal(answer(models[0]), plain)
