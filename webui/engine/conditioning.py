"""From a prompt to what the UNet listens to: the text encoder's answer, weighted, in chunks.

Ids, widths and lengths are the model's own; no two models need have the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.families.components import Components
from webui.prompting.chunks import EMBEDDED, Chunk
from webui.prompting.embeddings import find_embeddings
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT
from webui.prompting.prompt import Part, parse
from webui.prompting.schedule import Stage, schedule
from webui.prompting.tokens import COMMA, Reading, Vocabulary, chunk_text

KEPT_PROMPTS: Final = 64
NO_EMBEDDINGS: Final[Mapping[str, Tensor]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """The encoding of one of the prompts joined by AND, (1, 77 k, W), and its weight."""

    embedding: Tensor
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What one picture is to be and not to be, all of one length.

    `negative` is None where no guidance is asked for.
    """

    positive: tuple[Weighted, ...]
    negative: Tensor | None


@dataclass(frozen=True, kw_only=True)
class ConditioningPlan:
    """What the prompts say in the course of a run. `stages` are in order, each with the number of
    the last call that it holds for."""

    stages: tuple[tuple[int, Conditioning], ...]

    def at(self, call: int) -> Conditioning:
        """What call number `call` of the network is told, counted from 0.

        A stage that ends at step n holds for the calls 0 to n, as in A1111: the change comes one
        call later than the number says.
        """
        return next((given for end, given in self.stages if call <= end), self.stages[-1][1])


@dataclass(frozen=True, kw_only=True)
class _Manner:
    """Everything beside the text that decides its encoding."""

    clip_skip: int
    emphasis: Emphasis
    embeddings: Mapping[str, Tensor]

    def key(self, text: str) -> tuple[object, ...]:
        """The same for what will be encoded to the same numbers."""
        names = {named.name for named in find_embeddings(text, self.embeddings)}
        stamps = tuple((name, _stamp(self.embeddings[name])) for name in sorted(names))
        return text, self.clip_skip, self.emphasis, stamps


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
        self._width: Final = int(config.hidden_size)
        self._vocabulary: Final = Vocabulary(
            tokenize=self._tokenize,
            size=self._length - 2,
            comma=self._tokenizer.get_vocab().get(COMMA),
        )
        self._known: Final[OrderedDict[tuple[object, ...], Tensor]] = OrderedDict()

    def plan(
        self,
        prompt: str,
        negative: str,
        *,
        clip_skip: int,
        emphasis: Emphasis,
        steps: int,
        calls_per_step: int,
        is_guided: bool,
        is_hires: bool = False,
        first_pass_steps: int = 0,
        embeddings: Mapping[str, Tensor] = NO_EMBEDDINGS,
    ) -> ConditioningPlan:
        """What the prompts say at each call of a run, all of it encoded now.

        `calls_per_step` is 2 for samplers of second order. `first_pass_steps` counts the calls of
        the first pass (its steps times its sampler's calls per step). `embeddings` by name,
        (n, W). `clip_skip` counts as A1111 does: 1 is the last layer. Raises InvalidRequest.
        """
        manner = _Manner(clip_skip=clip_skip, emphasis=emphasis, embeddings=embeddings)
        calls, before = steps * calls_per_step, first_pass_steps if is_hires else None
        parts = parse(prompt, PROMPT).parts
        tracks = [schedule(part.nodes, calls, before) for part in parts]
        if is_guided:
            (unwanted,) = parse(negative, NEGATIVE_PROMPT, is_negative=True).parts
            tracks.append(schedule(unwanted.nodes, calls, before))
        stages = [
            (end, self._conditioning(parts, texts, manner)) for end, texts in _together(tracks)
        ]
        return ConditioningPlan(stages=tuple(stages))

    def forget(self) -> None:
        """Encode everything anew: the text encoder's weights have changed."""
        self._known.clear()

    def encode(self, text: str, clip_skip: int) -> Tensor:
        """(1, 77 k, W) for a text of k chunks. Raises InvalidRequest."""
        manner = _Manner(clip_skip=clip_skip, emphasis=Emphasis.ORIGINAL, embeddings=NO_EMBEDDINGS)
        return self._encode(text, manner, PROMPT)

    def _conditioning(
        self, parts: Sequence[Part], texts: Sequence[str], manner: _Manner
    ) -> Conditioning:
        """The parts' texts at one step; behind them the negative one where there is guidance. The
        shorter ones are filled up with the encoding of no text."""
        fields = [*[PROMPT] * len(parts), NEGATIVE_PROMPT]
        encoded = [
            self._encode(text, manner, field) for text, field in zip(texts, fields, strict=False)
        ]
        length = max(each.shape[1] for each in encoded)
        filled = [self._lengthen(each, length, manner) for each in encoded]
        positive = [
            Weighted(embedding=each, weight=part.weight)
            for part, each in zip(parts, filled, strict=False)
        ]
        negative = filled[-1] if len(filled) > len(parts) else None
        return Conditioning(positive=tuple(positive), negative=negative)

    def _encode(self, text: str, manner: _Manner, field: str) -> Tensor:
        key = manner.key(text)
        if key not in self._known:
            self._known[key] = self._encode_anew(text, manner, field)
        self._known.move_to_end(key)
        while len(self._known) > KEPT_PROMPTS:
            self._known.popitem(last=False)
        return self._known[key]

    def _encode_anew(self, text: str, manner: _Manner, field: str) -> Tensor:
        if manner.clip_skip > self._layers:
            raise InvalidRequest(
                "sampling.clip_skip",
                f"Clip skip {manner.clip_skip} is more than the {self._layers} layers of this "
                f"model's text encoder. Try {self._layers} or less.",
            )
        vectors = {name: len(rows) for name, rows in manner.embeddings.items()}
        reading = Reading(emphasis=manner.emphasis, vectors=vectors)
        chunks = chunk_text(text, self._vocabulary, reading, field)
        with self._embedded(chunks, manner.embeddings, field):
            hidden = self._hidden(chunks, manner.clip_skip)
        return _weigh(hidden, self._weights(chunks), manner.emphasis).flatten(0, 1)[None]

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ids

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

    def _weights(self, chunks: tuple[Chunk, ...]) -> Tensor:
        """(k, 77): 1 for marks and padding."""
        rows = [torch.tensor([token.weight for token in chunk]) for chunk in chunks]
        framed = [pad(row, (1, self._length - 1 - len(row)), value=1.0) for row in rows]
        return torch.stack(framed).to(self._device)

    def _lengthen(self, encoded: Tensor, length: int, manner: _Manner) -> Tensor:
        missing = (length - encoded.shape[1]) // self._length
        if not missing:
            return encoded
        empty = self._encode("", manner, PROMPT)
        return torch.cat([encoded, *[empty] * missing], dim=1)


def _together(tracks: Sequence[Sequence[Stage]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The texts of several schedules side by side, whenever one of them changes."""
    ends = sorted({stage.end for track in tracks for stage in track})
    rows = [
        (end, tuple(next(stage.text for stage in track if end <= stage.end) for track in tracks))
        for end in ends
    ]
    for texts, same in groupby(rows, key=lambda row: row[1]):
        yield max(end for end, _ in same), texts


def _stamp(rows: Tensor) -> str:
    """Changes when an embedding's numbers do."""
    numbers: Any = rows.detach().float().cpu().contiguous().numpy()
    return sha256(numbers.tobytes()).hexdigest()


def _weigh(hidden: Tensor, weights: Tensor, emphasis: Emphasis) -> Tensor:
    """Each token times its weight; with A1111's "Original" emphasis, then each chunk's mean
    restored. Untouched where all weights are 1.

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
