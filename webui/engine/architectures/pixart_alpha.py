"""PixArt alpha for 1024 pixels: is told how large the picture is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from webui.engine.architectures import pixart, pixart_alpha_512
from webui.engine.architectures.architecture import Frame
from webui.engine.architectures.text import Text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For PixArtTransformer2DModel that is told the size in pixels, and height through width."""
    told = seen.new_empty(len(seen), 2)
    told[:, 0], told[:, 1] = frame.height, frame.width
    shape = seen.new_full((len(seen), 1), frame.height / frame.width)
    return {
        **pixart.arguments(seen, time, text, frame),
        "added_cond_kwargs": {"resolution": told, "aspect_ratio": shape},
    }


ARCHITECTURE = replace(pixart_alpha_512.ARCHITECTURE, id="pixart_alpha", arguments=arguments)
