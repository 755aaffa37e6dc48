"""What an architecture is: one file here for each way in which networks are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

import webui.engine.architectures
from webui.core.registry import Registry, discover
from webui.engine.architectures.text import Text, TextEncoder
from webui.families.components import Components

Arguments = Mapping[str, Any]
"""Of a network's `forward`, by name: tensors, plain values, mappings of tensors."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a network may be told of the picture beside the text."""

    width: int
    """In pixels, of this pass."""
    height: int
    distilled_guidance: float | None = None
    """For networks that were trained to guide themselves."""
    references: tuple[Tensor, ...] = ()
    """Latents of pictures to look at, each (1, C, h, w), for networks that edit."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One file in architectures/.

    `arguments(seen, time, text, frame)` are for the network's `forward`: `seen` are noisy latents
    (B, C, h, w) with their extra channels, in the network's dtype; `time` a float32 tensor without
    axes: the training's timestep, or t of a flow from 0 to 1; `text` has B rows. `answer(output,
    seen)` is what comes out of it, as latents (B, C, h, w). Whoever calls works in the space of
    latents; what the network wants instead (pieces of 2 x 2 cells in a row) is made in here.
    """

    id: str
    make_encoder: Callable[[Components], TextEncoder]
    arguments: Callable[[Tensor, Tensor, Text, Frame], Arguments]
    answer: Callable[[Tensor, Tensor], Tensor] = lambda output, seen: output
    has_references: bool = False
    """Whether it looks at `Frame.references`."""
    has_eyes: bool = False
    """Whether its text encoder is shown the same pictures."""
    looks_from: float = 0.0
    """The denoising strength from which on it looks at a source; below it is only painted over."""


class Architectures(Registry[Architecture]):
    """All architectures by id."""


def load_architectures() -> Architectures:
    """The architectures that lie in this folder."""
    found = cast("list[Architecture]", discover(webui.engine.architectures, "ARCHITECTURE"))
    return Architectures(found)
