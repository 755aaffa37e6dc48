"""Reads prompts with a CLIP: in chunks, with weights, with embeddings in the place of words.

Ids, widths and lengths are the model's own; no two models need have the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.engine.architectures.text import Manner, Text, TextEncoder
from webui.prompting.chunks import EMBEDDED, Chunk
from webui.prompting.faults import PROMPT
from webui.prompting.tokens import COMMA, Reading, Vocabulary, chunk_text


@dataclass(frozen=True, kw_only=True)
class ClipReading:
    """What a CLIP made of a text of k chunks."""

    answer: Any
    """The library's output, with all hidden states."""
    weights: Tensor
    """(k, 77): 1 for marks and padding."""
    emphasis: Emphasis

    def layer(self, clip_skip: int) -> Tensor:
        """(k, 77, W): the output of a layer, counted from the end; 1 is the last, not normed."""
        hidden: Tensor = self.answer.hidden_states[-clip_skip]
        return hidden

    def weighed(self, hidden: Tensor) -> Tensor:
        """A layer's output with the prompt's weights."""
        return weigh(hidden, self.weights, self.emphasis)


class ClipReader:
    """One CLIP and its tokenizer. `name` is that of the text encoder: which of an embedding's
    vectors are for it."""

    def __init__(self, name: str, encoder: Any, tokenizer: Any) -> None:
        self._name: Final = name
        self._encoder: Final = encoder
        self._tokenizer: Final = tokenizer
        config = encoder.config
        self._layers: Final = int(config.num_hidden_layers)
        self._length: Final = int(config.max_position_embeddings)
        """Of a chunk with the two marks around it."""
        self._width: Final = int(config.hidden_size)
        self._vocabulary: Final = Vocabulary(
            tokenize=self._tokenize,
            size=self._length - 2,
            comma=id_of(self._tokenizer, COMMA),
        )

    def read(self, text: str, manner: Manner, field: str) -> ClipReading:
        """All layers' outputs for a text. Raises InvalidRequest for `field`."""
        if manner.clip_skip > self._layers:
            raise InvalidRequest(
                "sampling.clip_skip",
                f"Clip skip {manner.clip_skip} is more than the {self._layers} layers of this "
                f"model's text encoder. Try {self._layers} or less.",
            )
        rows = self._rows(manner)
        lengths = {name: len(each) for name, each in rows.items()}
        chunks = chunk_text(
            text, self._vocabulary, Reading(emphasis=manner.emphasis, vectors=lengths), field
        )
        with self._embedded(chunks, rows, field):
            ids = torch.tensor([self._framed_ids(chunk) for chunk in chunks])
            answer = self._encoder(ids.to(self._device), output_hidden_states=True)
        return ClipReading(answer=answer, weights=self._weights(chunks), emphasis=manner.emphasis)

    def normed(self, hidden: Tensor) -> Tensor:
        """A layer's output normed as the last one is."""
        # transformers before 5.6 kept the layers one level deeper
        norm = getattr(self._encoder, "text_model", self._encoder).final_layer_norm
        normed: Tensor = norm(hidden)
        return normed

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self._encoder.parameters()).device
        return device

    def _rows(self, manner: Manner) -> Mapping[str, Tensor]:
        """The embeddings that have vectors for this encoder."""
        found = manner.embeddings.items()
        return {name: vectors[self._name] for name, vectors in found if self._name in vectors}

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ids

    def _framed_ids(self, chunk: Chunk) -> list[int]:
        begin, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        padding = [self._tokenizer.pad_token_id] * (self._length - 2 - len(chunk))
        # an embedding's place has an id that any table of tokens has
        return [begin, *(max(token.id, 0) for token in chunk), end, *padding]

    @contextmanager
    def _embedded(
        self, chunks: Sequence[Chunk], embeddings: Mapping[str, Tensor], field: str
    ) -> Iterator[None]:
        """While it lasts, the encoder looks up an embedding's rows where one stands."""
        places = [
            (number, 1 + column, self._row(token.embedding, token.row, embeddings, field))
            for number, chunk in enumerate(chunks)
            for column, token in enumerate(chunk)
            if token.id == EMBEDDED
        ]
        if not places:
            yield
            return

        def put(module: object, ids: object, looked_up: Tensor) -> Tensor:
            changed = looked_up.clone()
            for number, column, row in places:
                changed[number, column] = row.to(changed)
            return changed

        handle = self._encoder.get_input_embeddings().register_forward_hook(put)
        try:
            yield
        finally:
            handle.remove()

    def _row(self, name: str, row: int, embeddings: Mapping[str, Tensor], field: str) -> Tensor:
        rows = embeddings[name]
        if rows.shape[-1] != self._width:
            raise InvalidRequest(
                field,
                f"The embedding “{name}” is {rows.shape[-1]} numbers wide, this model's words are "
                f"{self._width}: it was made for another kind of model. Leave it out.",
            )
        return rows[row]

    def _weights(self, chunks: Sequence[Chunk]) -> Tensor:
        """(k, 77): 1 for marks and padding."""
        rows = [torch.tensor([token.weight for token in chunk]) for chunk in chunks]
        framed = [pad(row, (1, self._length - 1 - len(row)), value=1.0) for row in rows]
        return torch.stack(framed).to(self._device)


def id_of(tokenizer: Any, word: str) -> int | None:
    """The id of a word of a tokenizer's own; None if it has no such word."""
    found = tokenizer.convert_tokens_to_ids(word)  # for others that of the unknown word
    return found if tokenizer.convert_ids_to_tokens(found) == word else None


def weigh(hidden: Tensor, weights: Tensor, emphasis: Emphasis) -> Tensor:
    """Each token times its weight; with A1111's "Original" emphasis, then each chunk's mean
    restored. Untouched where all weights are 1. `hidden` (k, 77, W), `weights` (k, 77).

    A1111 restores the mean of a chunk over all pictures of a batch; here each prompt has its own,
    so that no picture depends on its batch.
    """
    if bool((weights == 1).all()):
        return hidden
    plain = hidden.float()
    weighted = plain * weights[..., None]
    if emphasis is Emphasis.NO_NORM:
        return weighted.to(hidden.dtype)
    means = [values.mean(dim=(1, 2), keepdim=True) for values in (plain, weighted)]
    return (weighted * (means[0] / means[1])).to(hidden.dtype)


def lengthened(encoder: TextEncoder, text: Text, length: int, manner: Manner) -> Text:
    """A text of chunks filled up with chunks of no text; the whole's meaning stays."""
    if text.length == length:
        return text
    empty = encoder.encode("", manner, PROMPT, is_negative=False).tokens
    missing = (length - text.length) // empty.shape[1]
    tokens = torch.cat([text.tokens, *[empty] * missing], dim=1)
    return Text(tokens=tokens, pooled=text.pooled)
