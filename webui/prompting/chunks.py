"""Cuts a prompt's tokens into the pieces that a text encoder takes at once. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

COMMA_REACH: Final = 20
"""How far back from the end of a full chunk a comma may lie to be the place of the cut."""


EMBEDDED: Final = -1
"""Stands where a token has no id because an embedding's vector takes its place."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token id and how much it counts; or row `row` of the embedding of this name."""

    id: int
    weight: float = 1.0
    embedding: str = ""
    row: int = 0


Chunk = tuple[Token, ...]
"""At most `size` tokens, without the marks that begin and end a text."""


def split_chunks(
    sections: Iterable[Sequence[Token]], size: int, comma: int | None
) -> tuple[Chunk, ...]:
    """The chunks of a prompt, at least one. Each section begins a new one.

    A chunk that is too long is cut behind a comma among its last 20 tokens, so that a phrase
    stays whole, as in A1111. `comma` is its token id, None where the vocabulary has none. An
    embedding stays whole too; it has at most `size` rows.
    """
    chunks: list[Chunk] = []
    for section in sections:
        chunks.extend(_split_section(tuple(section), size, comma))
    if len(chunks) > 1 and not chunks[-1]:
        chunks.pop()  # a BREAK at the very end begins nothing
    return tuple(chunks) or ((),)


def _split_section(tokens: Chunk, size: int, comma: int | None) -> list[Chunk]:
    chunks: list[Chunk] = []
    while len(tokens) > size:
        cut = _cut(tokens, size, comma)
        chunks.append(tokens[:cut])
        tokens = tokens[cut:]
    return [*chunks, tokens]


def _cut(tokens: Chunk, size: int, comma: int | None) -> int:
    """How many tokens the first chunk keeps."""
    if tokens[size].row > 0:
        return size - tokens[size].row  # an embedding begins the next chunk
    if tokens[size].id == comma:
        return size  # A1111 leaves this comma to the next chunk
    for kept in range(size, max(size - COMMA_REACH, 0), -1):
        if tokens[kept - 1].id == comma:
            return kept
    return size
