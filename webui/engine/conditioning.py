"""From a prompt to what the UNet listens to: the text encoder's answer, weighted, in chunks.

Ids, widths and lengths are the model's own; no two models need have the same.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from webui.core.errors import InvalidRequest
from webui.families.components import Components
from webui.prompting.chunks import Chunk, Token, split_chunks
from webui.prompting.weights import Section, parse_weights

KEPT_PROMPTS: Final = 16
COMMA: Final = ",</w>"


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What one picture is to be and not to be: (1, 77 k, W) each, of one length.

    `negative` is None where no guidance is asked for.
    """

    positive: Tensor
    negative: Tensor | None


class PromptEncoder:
    """Encodes prompts for one model, and remembers the last ones."""

    def __init__(self, components: Components) -> None:
        self._encoder: Final = components.text_encoder
        self._tokenizer: Final = components.tokenizer
        self._device: Final = next(components.text_encoder.parameters()).device
        config = components.text_encoder.config
        self._layers: Final = int(config.num_hidden_layers)
        self._length: Final = int(config.max_position_embeddings)
        """Of a chunk with the two marks around it."""
        vocabulary = self._tokenizer.get_vocab()
        self._comma: Final[int | None] = vocabulary.get(COMMA)
        self._known: Final[OrderedDict[tuple[str, int], Tensor]] = OrderedDict()

    def condition(
        self, prompt: str, negative_prompt: str, clip_skip: int, *, is_guided: bool
    ) -> Conditioning:
        """Both prompts, the shorter one filled up with the encoding of no text.

        `clip_skip` counts as A1111 does: 1 is the last layer. Raises InvalidRequest.
        """
        positive = self.encode(prompt, clip_skip)
        if not is_guided:
            return Conditioning(positive=positive, negative=None)
        negative = self.encode(negative_prompt, clip_skip)
        length = max(positive.shape[1], negative.shape[1])
        return Conditioning(
            positive=self._lengthen(positive, length, clip_skip),
            negative=self._lengthen(negative, length, clip_skip),
        )

    def encode(self, prompt: str, clip_skip: int) -> Tensor:
        """(1, 77 k, W) for a prompt of k chunks. Raises InvalidRequest."""
        key = (prompt, clip_skip)
        if key not in self._known:
            self._known[key] = self._encode(prompt, clip_skip)
        self._known.move_to_end(key)
        while len(self._known) > KEPT_PROMPTS:
            self._known.popitem(last=False)
        return self._known[key]

    def _encode(self, prompt: str, clip_skip: int) -> Tensor:
        if clip_skip > self._layers:
            raise InvalidRequest(
                "sampling.clip_skip",
                f"Clip skip {clip_skip} is more than the {self._layers} layers of this model's "
                f"text encoder. Try {self._layers} or less.",
            )
        sections = [self._tokenize(section) for section in parse_weights(prompt)]
        chunks = split_chunks(sections, self._length - 2, self._comma)
        hidden = self._hidden(chunks, clip_skip)
        return _weigh(hidden, self._weights(chunks)).flatten(0, 1)[None]

    def _tokenize(self, section: Section) -> list[Token]:
        return [
            Token(id=id, weight=span.weight)
            for span in section
            for id in self._tokenizer(span.text, add_special_tokens=False, verbose=False).input_ids
        ]

    def _hidden(self, chunks: tuple[Chunk, ...], clip_skip: int) -> Tensor:
        """(k, 77, W): the output of a late layer, normed as the last one is."""
        ids = torch.tensor([self._framed_ids(chunk) for chunk in chunks], device=self._device)
        answer = self._encoder(ids, output_hidden_states=True)
        # transformers before 5.6 kept the layers one level deeper
        norm = getattr(self._encoder, "text_model", self._encoder).final_layer_norm
        hidden: Tensor = norm(answer.hidden_states[-clip_skip])
        return hidden

    def _framed_ids(self, chunk: Chunk) -> list[int]:
        begin, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        padding = [self._tokenizer.pad_token_id] * (self._length - 2 - len(chunk))
        return [begin, *(token.id for token in chunk), end, *padding]

    def _weights(self, chunks: tuple[Chunk, ...]) -> Tensor:
        """(k, 77): 1 for marks and padding."""
        rows = [torch.tensor([token.weight for token in chunk]) for chunk in chunks]
        framed = [pad(row, (1, self._length - 1 - len(row)), value=1.0) for row in rows]
        return torch.stack(framed).to(self._device)

    def _lengthen(self, encoded: Tensor, length: int, clip_skip: int) -> Tensor:
        missing = (length - encoded.shape[1]) // self._length
        return torch.cat([encoded, *[self.encode("", clip_skip)] * missing], dim=1)


def _weigh(hidden: Tensor, weights: Tensor) -> Tensor:
    """A1111's "Original" emphasis: each token times its weight, then each chunk's mean restored.

    Untouched where all weights are 1.
    """
    if bool((weights == 1).all()):
        return hidden
    plain = hidden.float()
    weighted = plain * weights[..., None]
    means = [values.mean(dim=(1, 2), keepdim=True) for values in (plain, weighted)]
    return (weighted * (means[0] / means[1])).to(hidden.dtype)
