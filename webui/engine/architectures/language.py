"""Reads prompts with a language model, as the question of somebody who talks to it.

What it thinks of each token is told, of one of its layers or of several. Weights of words and
embeddings are left out: most networks that listen bring all tokens to one length first, so that a
weight would change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.engine.architectures.text import Manner
from webui.prompting.weights import without_weights


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What stands around a prompt, and how long it may be, all of it counted."""

    before: str = ""
    after: str = ""
    most_tokens: int = 1024


class LanguageReader:
    """One language model and its tokenizer."""

    def __init__(self, encoder: Any, tokenizer: Any, talk: Talk) -> None:
        self._encoder: Final = encoder
        self._tokenizer: Final = tokenizer
        self._talk: Final = talk

    def read(self, text: str, manner: Manner, field: str) -> Sequence[Tensor]:
        """What goes into each layer and what comes out of the last one and its norm, (1, n, W)
        each. Raises InvalidRequest for `field`."""
        ids = self.ids(text, manner, field)
        return self.layers(ids, torch.ones_like(ids))

    def ids(self, text: str, manner: Manner, field: str) -> Tensor:
        """(1, n), on the encoder's device. Raises InvalidRequest for `field`."""
        talk = self._talk
        words = plain(text, manner)
        said = self._tokenizer(talk.before + words + talk.after, return_tensors="pt")
        ids: Tensor = said.input_ids
        if ids.shape[1] > talk.most_tokens:
            raise InvalidRequest(
                field,
                f"The text has {ids.shape[1]} tokens; this model reads {talk.most_tokens} at most. "
                "Make it shorter.",
            )
        return ids.to(next(self._encoder.parameters()).device)

    def layers(self, ids: Tensor, mask: Tensor) -> Sequence[Tensor]:
        """As `read`, of tokens of which those where `mask` is 0 are not looked at."""
        answer = self._encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        layers: Sequence[Tensor] = answer.hidden_states
        return layers


def plain(text: str, manner: Manner) -> str:
    """A prompt without the brackets of its weights; what BREAK parts is joined by a space."""
    if manner.emphasis is Emphasis.NONE:
        return text
    return without_weights(text)
