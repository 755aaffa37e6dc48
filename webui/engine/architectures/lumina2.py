"""Lumina 2: a transformer that reads words and picture as one row, and knows time backwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even
from webui.families.components import TEXT_ENCODER, Components

ORDER: Final = (
    "You are an assistant designed to generate superior images with the superior degree of "
    "image-text alignment based on textual prompts or user prompts."
)
TALK: Final = Talk(before=f"{ORDER} <Prompt Start> ", most_tokens=1000)
UNWANTED_TALK: Final = Talk(most_tokens=1000)
"""Negative prompts stand alone, as in its makers' program."""
LAYER: Final = -2
"""What goes into the last layer."""


class Lumina2Text:
    """What Gemma makes of the prompt before its last layer."""

    def __init__(self, components: Components) -> None:
        parts = (components.text_encoders[TEXT_ENCODER], components.tokenizers[TEXT_ENCODER])
        self._wanted: Final = LanguageReader(*parts, TALK)
        self._unwanted: Final = LanguageReader(*parts, UNWANTED_TALK)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text."""
        reader = self._unwanted if is_negative else self._wanted
        return Text(tokens=reader.read(text, manner, field)[LAYER])

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For Lumina2Transformer2DModel, for which 1 is no noise at all."""
    tokens = text.tokens.to(seen.dtype)
    return {
        "hidden_states": even(seen),
        "timestep": (1 - time).expand(len(seen)),
        "encoder_hidden_states": tokens,
        "encoder_attention_mask": torch.ones(
            tokens.shape[:2], dtype=torch.bool, device=seen.device
        ),
    }


def answer(output: Tensor, seen: Tensor) -> Tensor:
    """The way to the noise; the network tells the way from it."""
    height, width = seen.shape[-2:]
    return -output[..., :height, :width]


ARCHITECTURE = Architecture(
    id="lumina2", make_encoder=Lumina2Text, arguments=arguments, answer=answer
)
