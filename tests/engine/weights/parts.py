"""Small models in files, for the tests of what brings weights in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from webui.engine.weights.chunks import Grain
from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore
from webui.families.components import Placement
from webui.families.weights import Piece, TensorFiles, build

CPU = torch.device("cpu")
WIDTH = 256
SMALL = Grain(small_layer=4000, smallest_chunk=1_000_000, block=300_000, large_table=1_000_000)
"""For small models to go every way that large ones go."""


class Block(nn.Module):
    """A norm, which is small, and two layers large enough to be streamed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.last = nn.Linear(2 * width, width)  # listed before the one that runs before it
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.relu(self.first(self.norm(x))))


class Net(nn.Module):
    """Blocks in a row; some can be left out, as step caches do."""

    def __init__(self, blocks: int = 12, width: int = WIDTH) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))

    def forward(self, x: Tensor, skip: Collection[int] = ()) -> Tensor:
        for index, block in enumerate(self.blocks):
            if index not in skip:
                x = block(x)
        return x


def same_names(keys: Collection[str]) -> Mapping[str, str | Piece]:
    return {key: key for key in keys}


def net_file(folder: Path, dtype: torch.dtype = torch.float32, seed: int = 0) -> Path:
    """A file of random weights of a `Net`."""
    torch.manual_seed(seed)
    file = folder / f"net{seed}.safetensors"
    save_file({key: value.to(dtype) for key, value in Net().state_dict().items()}, file)
    return file


def deferred(
    store: WeightStore,
    file: Path,
    make: Callable[[], nn.Module] = Net,
    names: Callable[[Collection[str]], Mapping[str, str | Piece]] = same_names,
    dtype: torch.dtype = torch.float32,
) -> tuple[nn.Module, PartWeights]:
    """A model of which the store brings the weights, and those."""
    placement = Placement(device=store.device, dtype=dtype, defer=store.defer)
    with TensorFiles("tiny", [file]) as files:
        model = build(make, names, files, placement)
    return model, store.of(model)


@torch.inference_mode()
def answer(model: nn.Module, skip: Collection[int] = ()) -> Tensor:
    """What a `Net` makes of an input."""
    weight = next(model.parameters())
    x = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
    result: Tensor = model(x.to(weight.device, weight.dtype), skip)
    return result
