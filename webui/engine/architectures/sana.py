"""Sana: a transformer over cells of 32 pixels, which looks at a language model's words from
aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from webui.core.request import Emphasis
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk, plain
from webui.engine.architectures.text import Manner, Text
from webui.families.components import TEXT_ENCODER, Components

ORDER: Final = (
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions "
    "suitable for image generation. Evaluate the level of detail in the user prompt:\n"
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, "
    "and spatial relationships to create vivid and concrete scenes.\n"
    "- If the prompt is already detailed, refine and enhance the existing details slightly without "
    "overcomplicating.\n"
    "Here are examples of how to transform or refine prompts:\n"
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round "
    "shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red "
    "flowers.\n"
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, "
    "featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a "
    "double-decker bus passing by towering glass skyscrapers.\n"
    "Please generate only the enhanced description for the prompt below and avoid including any "
    "additional commentary or evaluations:\n"
    "User Prompt: "
)
"""Of its training."""
MOST_TOKENS: Final = 1000
TIMESTEPS: Final = 1000


class SanaText:
    """What Gemma makes of the prompt, which it is ordered to embellish; of the order itself the
    network is told no more than the first token and the last."""

    def __init__(self, components: Components) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._order: Final = len(tokenizer(ORDER).input_ids)
        most = MOST_TOKENS + self._order
        talk = Talk(before=ORDER, most_tokens=most)
        self._wanted: Final = LanguageReader(encoder, tokenizer, talk)
        self._unwanted: Final = LanguageReader(encoder, tokenizer, Talk(most_tokens=MOST_TOKENS))

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text, in small letters."""
        words = plain(text, manner).lower().strip()
        bare = replace(manner, emphasis=Emphasis.NONE)
        if is_negative:
            return Text(tokens=self._unwanted.read(words, bare, field)[-1])
        hidden = self._wanted.read(words, bare, field)[-1]
        return Text(tokens=torch.cat([hidden[:, :1], hidden[:, self._order - 1 :]], dim=1))

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For SanaTransformer2DModel."""
    return {
        "hidden_states": seen,
        "timestep": (time * TIMESTEPS).expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
    }


ARCHITECTURE = Architecture(id="sana", make_encoder=SanaText, arguments=arguments)
