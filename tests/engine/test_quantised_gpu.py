"""Packed weights on a GPU: the values of the CPU, within roundings, and in recordings.

Run by hand on a machine that has a GPU: pytest -m gpu tests/engine/test_quantised_gpu.py
"""

from __future__ import annotations

from typing import Final

import pytest
import torch
from torch import Tensor, nn

from tests.families import quantised_files as made
from webui.engine.network_change import Share, live_patch
from webui.families.quantised.grouping import load_schemes
from webui.families.quantised.layers import keep, patch, values
from webui.families.quantised.quantised import Form
from webui.networks import loha, lora
from webui.networks.network import Layer

pytestmark = pytest.mark.gpu

SHAPE: Final = (512, 256)
SCHEMES: Final = ("fp8", "scaled", "nf4", *made.BLOCKS)


def packed(scheme: str) -> tuple[Form, dict[str, Tensor]]:
    """A random weight."""
    schemes, weight = load_schemes(), torch.randn(SHAPE) * 0.02
    if scheme == "fp8":
        form = Form(scheme=schemes["fp8"], shape=SHAPE)
        return form, {"values": weight.to(torch.float8_e4m3fn)}
    if scheme == "scaled":
        raw, scale = made.scaled_fp8(weight)
        form = Form(scheme=schemes["affine"], shape=SHAPE, options={"of": 1.0, "height": 0.0})
        return form, {"values": raw, "scale": scale}
    if scheme == "nf4":
        tensors = made.as_nf4(weight, "w")
        form = Form(scheme=schemes["bnb4"], shape=SHAPE, options={"block": 64.0})
        names = {"values": "w", "absmax": "w.absmax", "quant_map": "w.quant_map"}
        return form, {part: tensors[name] for part, name in names.items()}
    raw = torch.frombuffer(bytearray(made.blocks(scheme, SHAPE).data), dtype=torch.uint8)
    form = Form(scheme=schemes[scheme.lower()], shape=SHAPE)
    return form, {"blocks": raw.view(-1, made.BLOCKS[scheme][1])}


def layer_on_gpu(scheme: str, dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
    """A layer on a packed weight, and its true values."""
    torch.manual_seed(1)
    form, parts = packed(scheme)
    layer = nn.Sequential(nn.Linear(SHAPE[1], SHAPE[0], dtype=dtype, device="cuda"))
    on_gpu = {name: part.cuda() for name, part in parts.items()}
    assert keep(layer, "0.weight", form, on_gpu, dtype)
    return layer.requires_grad_(False), form.dequantise(parts, torch.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_true_values_are_those_of_the_cpu(scheme: str, dtype: torch.dtype) -> None:
    layer, wanted = layer_on_gpu(scheme, dtype)
    error = (values(layer[0], dtype).float().cpu() - wanted).abs().max()
    assert error <= 2 * torch.finfo(dtype).eps * wanted.abs().max()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("format", [None, lora, loha])
def test_a_recording_gives_the_bits_of_a_call(scheme: str, format: object) -> None:
    layer, _ = layer_on_gpu(scheme, torch.float16)
    if format is not None:
        names = ("lora_up.weight", "lora_down.weight")
        sides = {name: torch.randn(SHAPE[0], 4) * 0.1 for name in names[:1]}
        sides |= {name: torch.randn(4, SHAPE[1]) * 0.1 for name in names[1:]}
        if format is loha:
            sides = {
                f"hada_w{number}_{end}": tensor
                for number in (1, 2)
                for end, tensor in zip("ab", sides.values(), strict=True)
            }
        share = Share(
            layer=Layer(format=format.FORMAT, parts={**sides, "alpha": torch.tensor(2.0)}),  # type: ignore[attr-defined]
            weight=0.7,
            rank=None,
            network="a",
            place="0",
        )
        patch(layer[0], live_patch([share], SHAPE))
    x = torch.randn(8, SHAPE[1], dtype=torch.float16, device="cuda")
    with torch.inference_mode():
        for _ in range(2):
            wanted = layer(x).clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            said = layer(x)
        graph.replay()
        torch.cuda.synchronize()
        assert torch.equal(said, wanted)
