"""What other programs make of the same files.

reference.safetensors holds, for each case, a weight before and after a network by lycoris-lora
4.1.3 or peft 0.21.2, and the network's tensors. LoHa and LoKr of the former are those of its
forward pass: merging scales them twice there, as nothing else that loads such files does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from safetensors.torch import load_file
from torch import Tensor

from webui.networks import dora
from webui.networks.network import make_network

pytestmark = pytest.mark.torch

FILE: Final = Path(__file__).parent / "reference.safetensors"
TOLERANCE: Final = 1e-6
"""They were computed in float32, of values below 1."""


def cases() -> dict[str, dict[str, Tensor]]:
    """The tensors of each case by name."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(FILE).items():
        case, _, name = key.partition("/")
        found.setdefault(case, {})[name] = tensor
    return found


def test_merging_agrees_with_lycoris_and_peft() -> None:
    for case, parts in cases().items():
        before, after = parts.pop("before").double(), parts.pop("after").double()
        network = make_network(case, {f"unet.x.{name}": part for name, part in parts.items()})
        (layer,) = network.layers.values()
        assert layer.format is not None
        assert not network.unknown, case
        own = {name: part.double() for name, part in layer.parts.items()}
        change = layer.format.change(own, before)
        if dora.PART in own:
            change = dora.change(own[dora.PART], before, before + change)
        assert (after - before).abs().max() > 1e-3, case
        assert (before + change - after).abs().max() < TOLERANCE, case
