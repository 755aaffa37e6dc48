"""Flux.2: a transformer that listens to three layers of a language model at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even, packed, places, unpacked
from webui.families.components import TEXT_ENCODER, Components

TALK: Final = Talk(
    before="<|im_start|>user\n",
    after="<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
)
WINDOW: Final = 512
"""Shorter texts are filled up; what is filled in is listened to like words."""
LAYERS: Final = (9, 18, 27)
AXES: Final = 4
"""Of places: the picture, its lines and columns, and the order in a text."""
APART: Final = 10
"""How far the numbers of pictures to look at are from each other, and from the one that is made."""


class Flux2Text:
    """What goes into three layers of Qwen 3, one behind the other."""

    def __init__(self, components: Components) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._reader: Final = LanguageReader(encoder, tokenizer, TALK)
        self._filling: Final = int(tokenizer.pad_token_id)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, 512, 3 W), or as long as the text."""
        ids = self._reader.ids(text, manner, field)
        missing = max(0, WINDOW - ids.shape[1])
        mask = pad(torch.ones_like(ids), (0, missing))
        layers = self._reader.layers(pad(ids, (0, missing), value=self._filling), mask)
        return Text(tokens=torch.cat([layers[layer] for layer in LAYERS], dim=-1))

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For Flux2Transformer2DModel that guides itself by nothing. Pictures to look at stand behind
    the one that is made, each with a number of its own."""
    latents = [seen, *(each.to(seen).expand(len(seen), -1, -1, -1) for each in frame.references)]
    grids = [even(each) for each in latents]
    numbered = [places(each, APART * number) for number, each in enumerate(grids)]
    words = torch.zeros(text.length, AXES, device=seen.device)
    words[:, -1] = torch.arange(text.length, device=seen.device)
    return {
        "hidden_states": torch.cat([packed(each) for each in grids], dim=1),
        "timestep": time.expand(len(seen)),
        "guidance": None,
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "txt_ids": words,
        "img_ids": pad(torch.cat(numbered), (0, 1)),
    }


ARCHITECTURE = Architecture(
    id="flux2",
    make_encoder=Flux2Text,
    arguments=arguments,
    answer=unpacked,
    has_references=True,
    looks_from=1.0,
)
