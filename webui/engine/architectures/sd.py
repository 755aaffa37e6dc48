"""Stable Diffusion 1 and 2: a UNet that listens to one CLIP's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.clip import ClipReader, lengthened
from webui.engine.architectures.text import Manner, Text
from webui.families.components import TEXT_ENCODER, Components


class SdText:
    """The output of a late layer, normed as the last one is."""

    def __init__(self, components: Components) -> None:
        encoder = components.text_encoders[TEXT_ENCODER]
        self._clip: Final = ClipReader(TEXT_ENCODER, encoder, components.tokenizers[TEXT_ENCODER])

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, 77 k, W) for a text of k chunks."""
        reading = self._clip.read(text, manner, field)
        hidden = self._clip.normed(reading.layer(manner.clip_skip))
        tokens = reading.weighed(hidden).flatten(0, 1)[None]
        return Text(tokens=tokens)

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """Filled up with the encoding of no text."""
        return lengthened(self, text, length, manner)


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For UNet2DConditionModel."""
    return {"sample": seen, "timestep": time, "encoder_hidden_states": text.tokens}


ARCHITECTURE = Architecture(id="sd", make_encoder=SdText, arguments=arguments)
