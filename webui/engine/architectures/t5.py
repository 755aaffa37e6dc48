"""Reads prompts with a T5: in windows, with weights.

It has no mark at the beginning, one at the end, and knows words by their order alone, so a prompt
that is longer than a window is read in several, as with CLIP. Weights act on what it answers; no
mean is restored, for unlike CLIP's its numbers have none to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from webui.core.request import Emphasis
from webui.engine.architectures.clip import id_of, weigh
from webui.engine.architectures.text import Manner
from webui.prompting.chunks import Chunk
from webui.prompting.tokens import Reading, Vocabulary, chunk_text

COMMA: Final = ","
"""In T5's vocabulary, behind a word."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a T5 reads at once: the ids of one chunk with its marks, and how much each counts."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    read: int
    """How many of them are words and the mark at the end; behind them it is told not to look."""


class T5Reader:
    """One T5 and its tokenizer. `window`: how many tokens it reads at once, marks included."""

    def __init__(self, encoder: Any, tokenizer: Any, window: int) -> None:
        self._encoder: Final = encoder
        self._tokenizer: Final = tokenizer
        self._window: Final = window
        self._vocabulary: Final = Vocabulary(
            tokenize=self._tokenize,
            size=window - 2,
            comma=id_of(tokenizer, COMMA),
        )

    def read_filled(self, text: str, manner: Manner, field: str) -> Tensor:
        """(1, window * k, W): windows filled up with padding, which is read like words. Raises
        InvalidRequest for `field`."""
        windows = [self._filled(chunk) for chunk in self._chunks(text, manner, field)]
        return torch.cat([self._answer(each, is_masked=False) for each in windows], dim=1)

    def read_short(self, text: str, manner: Manner, field: str) -> Tensor:
        """(1, n, W): as many tokens as there are words, with one of padding behind them; the words
        don't see it. Raises InvalidRequest for `field`."""
        windows = [self._short(chunk) for chunk in self._chunks(text, manner, field)]
        return torch.cat([self._answer(each, is_masked=True) for each in windows], dim=1)

    def read_bare(self, text: str, manner: Manner, field: str) -> Tensor:
        """(1, n, W): as many tokens as there are words, without padding. Raises InvalidRequest for
        `field`."""
        windows = [self._framed(chunk, 0) for chunk in self._chunks(text, manner, field)]
        return torch.cat([self._answer(each, is_masked=False) for each in windows], dim=1)

    def _chunks(self, text: str, manner: Manner, field: str) -> Sequence[Chunk]:
        return chunk_text(text, self._vocabulary, Reading(emphasis=manner.emphasis), field)

    def _tokenize(self, text: str) -> list[int]:
        """Without the spaces around a piece: each begins a word, and a space behind its last one
        would be a token of its own, which the text without weights does not have."""
        bare = text.strip()
        ids: list[int] = self._tokenizer(bare, add_special_tokens=False, verbose=False).input_ids
        return ids

    def _filled(self, chunk: Chunk) -> Window:
        return self._framed(chunk, self._window - len(chunk) - 1)

    def _short(self, chunk: Chunk) -> Window:
        return self._framed(chunk, 1)

    def _framed(self, chunk: Chunk, padding: int) -> Window:
        end, pad = self._tokenizer.eos_token_id, self._tokenizer.pad_token_id
        return Window(
            ids=(*(token.id for token in chunk), end, *[pad] * padding),
            weights=(*(token.weight for token in chunk), *[1.0] * (1 + padding)),
            read=len(chunk) + 1,
        )

    def _answer(self, window: Window, *, is_masked: bool) -> Tensor:
        device = next(self._encoder.parameters()).device
        ids = torch.tensor([window.ids], device=device)
        mask = (torch.arange(len(window.ids), device=device) < window.read)[None].long()
        hidden: Tensor = self._encoder(
            input_ids=ids, attention_mask=mask if is_masked else None
        ).last_hidden_state
        weights = torch.tensor([window.weights], device=device)
        return weigh(hidden, weights, Emphasis.NO_NORM)
