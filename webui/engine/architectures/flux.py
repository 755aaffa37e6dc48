"""Flux.1 dev: a transformer that listens to T5's words and to CLIP's idea of the whole, and is
told how closely to follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.clip import ClipReader
from webui.engine.architectures.sd3 import whole
from webui.engine.architectures.t5 import T5Reader
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even, packed, places, unpacked
from webui.families.components import Components

CLIP: Final = "text_encoder"
T5: Final = "text_encoder_2"
DEV_WINDOW: Final = 512
USUAL_GUIDANCE: Final = 3.5


class FluxText:
    """T5's words, padding included; of CLIP only what it thinks of the whole."""

    def __init__(self, components: Components, window: int = DEV_WINDOW) -> None:
        encoders, tokenizers = components.text_encoders, components.tokenizers
        self._clip: Final = ClipReader(CLIP, encoders[CLIP], tokenizers[CLIP])
        self._t5: Final = T5Reader(encoders[T5], tokenizers[T5], window)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, window * k, W) and (1, P)."""
        return Text(
            tokens=self._t5.read_filled(text, manner, field),
            pooled=whole(self._clip.read(text, manner, field)),
        )

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def plain_arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For FluxTransformer2DModel, but for what guides it. Pictures to look at stand behind the one
    that is made, each with a number of its own."""
    latents = [seen, *(each.to(seen).expand(len(seen), -1, -1, -1) for each in frame.references)]
    grids = [even(each) for each in latents]
    numbered = [places(each, number) for number, each in enumerate(grids)]
    return {
        "hidden_states": torch.cat([packed(each) for each in grids], dim=1),
        "timestep": time.expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "pooled_projections": None if text.pooled is None else text.pooled.to(seen.dtype),
        "txt_ids": torch.zeros(text.length, 3, device=seen.device),
        "img_ids": torch.cat(numbered),
    }


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For FluxTransformer2DModel that was trained to guide itself."""
    told = frame.distilled_guidance
    scale = USUAL_GUIDANCE if told is None else told
    plain = plain_arguments(seen, time, text, frame)
    return {**plain, "guidance": torch.full_like(plain["timestep"], scale)}


ARCHITECTURE = Architecture(id="flux", make_encoder=FluxText, arguments=arguments, answer=unpacked)
