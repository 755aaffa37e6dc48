"""Stable Diffusion 3: a transformer that listens to two CLIPs and a T5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.clip import ClipReader, ClipReading
from webui.engine.architectures.t5 import T5Reader
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even
from webui.families.components import Components

CLIPS: Final = ("text_encoder", "text_encoder_2")
T5: Final = "text_encoder_3"
T5_WINDOW: Final = 256
LAST_BUT_ONE: Final = 2
"""The layer of each CLIP that it was trained with, counted from the end."""
TIMESTEPS: Final = 1000


class Sd3Text:
    """Both CLIPs side by side, filled up with zeros to T5's width; then T5. Without a T5 there are
    zeros in its place, as in a part of the training."""

    def __init__(self, components: Components) -> None:
        encoders, tokenizers = components.text_encoders, components.tokenizers
        self._clips: Final = [ClipReader(each, encoders[each], tokenizers[each]) for each in CLIPS]
        self._width: Final = int(components.diffusion_model.config.joint_attention_dim)
        has_t5 = T5 in encoders
        self._t5: Final = T5Reader(encoders[T5], tokenizers[T5], T5_WINDOW) if has_t5 else None

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, 77 k + 256 m, W), and what both CLIPs think of the whole, (1, P)."""
        readings = [clip.read(text, manner, field) for clip in self._clips]
        layer = max(LAST_BUT_ONE, manner.clip_skip)
        hidden = [reading.weighed(reading.layer(layer)) for reading in readings]
        clips = torch.cat(hidden, dim=-1).flatten(0, 1)[None]
        clips = pad(clips, (0, self._width - clips.shape[-1]))
        long = self._long(clips, text, manner, field)
        return Text(
            tokens=torch.cat([clips, long], dim=1),
            pooled=torch.cat([whole(reading) for reading in readings], dim=-1),
        )

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text

    def _long(self, like: Tensor, text: str, manner: Manner, field: str) -> Tensor:
        if self._t5 is None:
            return like.new_zeros(1, T5_WINDOW, self._width)
        return self._t5.read_filled(text, manner, field).to(like.dtype)


def whole(reading: ClipReading) -> Tensor:
    """What a CLIP thinks of a text as a whole, (1, W), by its first chunk."""
    answer = reading.answer
    found = getattr(answer, "text_embeds", None)
    pooled: Tensor = answer.pooler_output if found is None else found
    return pooled[:1]


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For SD3Transformer2DModel."""
    return {
        "hidden_states": even(seen),
        "timestep": (time * TIMESTEPS).expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "pooled_projections": None if text.pooled is None else text.pooled.to(seen.dtype),
    }


def answer(output: Tensor, seen: Tensor) -> Tensor:
    """Without what `even` put there."""
    height, width = seen.shape[-2:]
    return output[..., :height, :width]


ARCHITECTURE = Architecture(id="sd3", make_encoder=Sd3Text, arguments=arguments, answer=answer)
