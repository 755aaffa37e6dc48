"""A tiny model to put networks on, in float64 so that formulas can be compared closely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webui.core.model import ModelInfo, ModelKind
from webui.prompting.networks import NetworkTag

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from webui.engine.patcher import NetworkUse, Patcher
    from webui.families.components import Components

Load = Callable[["torch.dtype"], "Components"]


@pytest.fixture(scope="session")
def load_tiny(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads the tiny model, each time anew."""
    import torch

    from webui.engine.tiny_model import write_checkpoint, write_description
    from webui.families.components import Placement
    from webui.families.sd15 import StableDiffusion15

    root = tmp_path_factory.mktemp("tiny")
    description = write_description(root / "description")
    file = write_checkpoint(root / "tiny.safetensors", description)

    def load(dtype: torch.dtype) -> Components:
        placement = Placement(device=torch.device("cpu"), dtype=dtype, is_channels_last=True)
        return StableDiffusion15(description).load(file, placement)

    return load


@pytest.fixture(scope="session")
def loaded(load_tiny: Load) -> Components:
    """The tiny model in float64. Whoever changes it changes it back."""
    import torch

    return load_tiny(torch.float64)


@pytest.fixture
def patcher(loaded: Components) -> Iterator[Patcher]:
    """On the tiny model; whatever is applied is taken off at the end."""
    import torch

    from webui.engine.patcher import Patcher

    torch.manual_seed(1)
    made = Patcher(loaded)
    yield made
    made.release()


def use(path: Path, **tag: object) -> NetworkUse:
    """A network file as a prompt uses it; `tag` are fields of NetworkTag."""
    from webui.engine.patcher import NetworkUse

    info = ModelInfo(
        id=path.name, name=path.stem, kind=ModelKind.LORA, family="", path=path, size_bytes=1
    )
    return NetworkUse(tag=NetworkTag(name=path.stem, **tag), model=info)  # type: ignore[arg-type]


def weights(components: Components) -> Mapping[str, Tensor]:
    """All weights that a network may change, as they are now."""
    found = {}
    for part in ("unet", "text_encoder"):
        for name, tensor in components.part(part).named_parameters():
            found[f"{part}.{name}"] = tensor.detach().clone()
    return found
