"""Z-Image: a transformer that reads words and picture as one row, and knows time backwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even
from webui.families.components import TEXT_ENCODER, Components

TALK: Final = Talk(
    before="<|im_start|>user\n", after="<|im_end|>\n<|im_start|>assistant\n", most_tokens=1024
)
LAYER: Final = -2
"""What goes into the last layer."""


class ZImageText:
    """What Qwen 3 makes of the prompt before its last layer."""

    def __init__(self, components: Components) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._reader: Final = LanguageReader(encoder, tokenizer, TALK)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text."""
        return Text(tokens=self._reader.read(text, manner, field)[LAYER])

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For ZImageTransformer2DModel, which wants a list of films of one picture, and 1 for no noise
    at all."""
    films = even(seen)[:, :, None]
    return {
        "x": list(films.unbind()),
        "t": (1 - time).expand(len(seen)),
        "cap_feats": list(text.tokens.to(seen.dtype).unbind()),
    }


def answer(output: Tensor, seen: Tensor) -> Tensor:
    """The way to the noise; the network tells the way from it."""
    height, width = seen.shape[-2:]
    return -output[:, :, 0, :height, :width]


ARCHITECTURE = Architecture(
    id="zimage", make_encoder=ZImageText, arguments=arguments, answer=answer
)
