"""Qwen-Image: a transformer that listens to what a language model makes of the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import SIDE, even, packed, unpacked
from webui.families.components import TEXT_ENCODER, Components

ORDER: Final = (
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:"
)
ORDER_TOKENS: Final = 34
"""All that stands before the prompt; the network is not told of it."""
TALK: Final = Talk(
    before=f"<|im_start|>system\n{ORDER}<|im_end|>\n<|im_start|>user\n",
    after="<|im_end|>\n<|im_start|>assistant\n",
    most_tokens=1024 + ORDER_TOKENS,
)


class QwenText:
    """What Qwen 2.5 makes of the prompt."""

    def __init__(self, components: Components) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._reader: Final = LanguageReader(encoder, tokenizer, TALK)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text."""
        return Text(tokens=self._reader.read(text, manner, field)[-1][:, ORDER_TOKENS:])

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For QwenImageTransformer2DModel, which is told how many tokens high and wide a picture is."""
    grid = even(seen)
    height, width = (side // SIDE for side in grid.shape[-2:])
    return {
        "hidden_states": packed(grid),
        "timestep": time.expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "img_shapes": [[(1, height, width)]] * len(seen),
    }


ARCHITECTURE = Architecture(id="qwen", make_encoder=QwenText, arguments=arguments, answer=unpacked)
