"""PixArt sigma: a transformer that answers with noise, and looks at T5's words from aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.t5 import T5Reader
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import even
from webui.families.components import TEXT_ENCODER, Components

WINDOW: Final = 300


class PixArtText:
    """T5's words in small letters, as in its training."""

    def __init__(self, components: Components, window: int = WINDOW) -> None:
        encoder, tokenizer = (
            parts[TEXT_ENCODER] for parts in (components.text_encoders, components.tokenizers)
        )
        self._t5: Final = T5Reader(encoder, _Small(tokenizer), window)

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the text."""
        return Text(tokens=self._t5.read_bare(text, manner, field))

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text


class _Small:
    """A tokenizer that makes all letters small."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer: Final = tokenizer

    def __call__(self, text: str, **given: Any) -> Any:
        return self._tokenizer(text.lower(), **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For PixArtTransformer2DModel that is not told how large the picture is."""
    return {
        "hidden_states": even(seen),
        "timestep": time.expand(len(seen)),
        "encoder_hidden_states": text.tokens.to(seen.dtype),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }


def answer(output: Tensor, seen: Tensor) -> Tensor:
    """Without how sure it is, and what `even` put there."""
    channels, height, width = seen.shape[1:]
    return output[:, :channels, :height, :width]


ARCHITECTURE = Architecture(
    id="pixart", make_encoder=PixArtText, arguments=arguments, answer=answer
)
