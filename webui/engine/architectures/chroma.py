"""Chroma: a Flux that listens to T5 alone, to its words and one token of padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.t5 import T5Reader
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even, packed, places, unpacked
from webui.families.components import TEXT_ENCODER, Components

WINDOW: Final = 512


class ChromaText:
    """T5's words. Its training hid all padding but the first token; here the rest is left out,
    which is the same and faster."""

    def __init__(self, components: Components) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._t5: Final = T5Reader(encoder, tokenizer, WINDOW)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text."""
        tokens = self._t5.read_short(text, manner, field)
        return Text(tokens=tokens)

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For ChromaTransformer2DModel."""
    grid = even(seen)
    return {
        "hidden_states": packed(grid),
        "timestep": time.expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "txt_ids": torch.zeros(text.length, 3, device=seen.device),
        "img_ids": places(grid),
    }


ARCHITECTURE = Architecture(
    id="chroma", make_encoder=ChromaText, arguments=arguments, answer=unpacked
)
