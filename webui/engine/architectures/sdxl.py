"""Stable Diffusion XL: a UNet that listens to two CLIPs side by side, and is told sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from webui.core.errors import InvalidRequest
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.clip import ClipReader, ClipReading, lengthened
from webui.engine.architectures.text import Manner, Text
from webui.families.components import Components
from webui.prompting.embeddings import find_embeddings

TRAINED_LAYER: Final = 2
"""Counted from the end, as clip skip counts: the one before the last."""


class SdxlText:
    """A late layer's output of each text encoder, not normed; the last one also tells the text as
    a whole. The refiner has that one alone."""

    def __init__(self, components: Components) -> None:
        encoders, tokenizers = components.text_encoders, components.tokenizers
        self._clips: Final = [
            ClipReader(name, encoders[name], tokenizers[name]) for name in sorted(encoders)
        ]
        self._names: Final = tuple(sorted(encoders))

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, 77 k, W) for a text of k chunks, and (1, P) of its first.

        An empty negative prompt is nothing at all, as in the training and in A1111. Clip skip 1
        and 2 both mean the layer of the training.
        """
        self._check_embeddings(text, manner, field)
        readings = [clip.read(text, manner, field) for clip in self._clips]
        layer = max(manner.clip_skip, TRAINED_LAYER)
        tokens = torch.cat([_tokens(reading, layer) for reading in readings], dim=-1)
        pooled = readings[-1].answer.text_embeds[:1]
        if is_negative and not text.strip():
            return Text(tokens=torch.zeros_like(tokens), pooled=torch.zeros_like(pooled))
        return Text(tokens=tokens, pooled=pooled)

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """Filled up with the encoding of no text; nothing at all stays so."""
        if text.tokens.any():
            return lengthened(self, text, length, manner)
        tokens = text.tokens[:, :1].expand(-1, length, -1)
        return Text(tokens=tokens.contiguous(), pooled=text.pooled)

    def _check_embeddings(self, text: str, manner: Manner, field: str) -> None:
        """Each must have vectors for all encoders, or their chunks would not be the same."""
        for named in find_embeddings(text, manner.embeddings):
            vectors = manner.embeddings[named.name]
            lengths = {len(vectors[name]) if name in vectors else 0 for name in self._names}
            if len(lengths) > 1 or 0 in lengths:
                raise InvalidRequest(
                    field,
                    f"The embedding “{named.name}” does not have vectors for both text encoders of "
                    "this model: it was made for another kind of model. Leave it out.",
                )


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For UNet2DConditionModel. It is told that the picture was made at its size, whole."""
    sizes = [frame.height, frame.width]
    return told(seen, time, text, [*sizes, 0, 0, *sizes])


def told(seen: Tensor, time: Tensor, text: Text, facts: list[float]) -> Mapping[str, Any]:
    """Arguments with facts of the picture, the same for all rows."""
    # filled on the device: numbers sent there would have to wait for all that is queued
    filled = [torch.full((1,), fact, dtype=torch.float32, device=seen.device) for fact in facts]
    row = torch.cat(filled)
    return {
        "sample": seen,
        "timestep": time,
        "encoder_hidden_states": text.tokens,
        "added_cond_kwargs": {
            "text_embeds": text.pooled,
            "time_ids": row.expand(len(seen), -1),
        },
    }


def _tokens(reading: ClipReading, layer: int) -> Tensor:
    return reading.weighed(reading.layer(layer)).flatten(0, 1)[None]


ARCHITECTURE = Architecture(id="sdxl", make_encoder=SdxlText, arguments=arguments)
