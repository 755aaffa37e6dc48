"""What a network is told of a prompt, and how it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Protocol

import torch
from PIL import Image
from torch import Tensor

from webui.core.request import Emphasis
from webui.prompting.embeddings import find_embeddings

Vectors = Mapping[str, Tensor]
"""The rows of one embedding, (n, W), by the text encoder that they are for."""
NO_EMBEDDINGS: Final[Mapping[str, Vectors]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Text:
    """One prompt as the network takes it."""

    tokens: Tensor
    """(1, n, W): the text piece by piece."""
    pooled: Tensor | None = None
    """(1, P): the text as a whole, for networks that want it."""

    @property
    def length(self) -> int:
        """How many pieces."""
        return int(self.tokens.shape[1])

    def rows(self, count: int) -> Text:
        """The same for so many pictures; nothing is copied."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Text(tokens=self.tokens.expand(count, -1, -1), pooled=pooled)

    def part(self, start: int, stop: int) -> Text:
        """Some of the rows."""
        pooled = None if self.pooled is None else self.pooled[start:stop]
        return Text(tokens=self.tokens[start:stop], pooled=pooled)


def joined(texts: Sequence[Text]) -> Text:
    """Texts of one length as the rows of one."""
    pooled = [text.pooled for text in texts if text.pooled is not None]
    tokens = torch.cat([text.tokens for text in texts])
    return Text(tokens=tokens, pooled=torch.cat(pooled) if pooled else None)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Everything beside the text that decides its encoding."""

    clip_skip: int = 1
    """Counts as A1111 does: 1 is the last layer."""
    emphasis: Emphasis = Emphasis.ORIGINAL
    embeddings: Mapping[str, Vectors] = field(default_factory=dict)
    pictures: tuple[Image.Image, ...] = ()
    """What a text encoder with eyes is shown beside the text."""

    def key(self, text: str) -> tuple[object, ...]:
        """The same for what will be encoded to the same numbers."""
        names = {named.name for named in find_embeddings(text, self.embeddings)}
        stamps = tuple((name, _stamp(self.embeddings[name].values())) for name in sorted(names))
        shown = tuple(sha256(each.tobytes()).hexdigest() for each in self.pictures)
        return text, self.clip_skip, self.emphasis, stamps, shown


class TextEncoder(Protocol):
    """Reads texts for one model."""

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """What the network is told of a text without schedules. `field` is where it stands in a
        request; some models are told other things beside a negative prompt. Raises
        InvalidRequest."""
        ...

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """The text filled up to so many pieces, as the architecture does it."""
        ...


def _stamp(vectors: Iterable[Tensor]) -> str:
    """Changes when an embedding's numbers do."""
    stamp = sha256()
    for rows in vectors:
        numbers: Any = rows.detach().float().cpu().contiguous().numpy()
        stamp.update(numbers.tobytes())
    return stamp.hexdigest()
