"""From one plain text (a step's, without schedules) to chunks of weighted tokens.

The engine and the page's counter go through here, so that they count the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.prompting.chunks import EMBEDDED, Chunk, Token, split_chunks
from webui.prompting.embeddings import find_embeddings
from webui.prompting.faults import PROMPT
from webui.prompting.weights import Section, Span, parse_weights

COMMA: Final = ",</w>"
"""A comma in the vocabularies of CLIP."""
LARGEST_PRODUCT: Final = 1000.0
"""Of nested weights; beyond it half precision has no numbers left."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """How a text encoder reads: its tokenizer, tokens in a chunk, the id of a comma (None where it
    has none)."""

    tokenize: Callable[[str], Sequence[int]]
    size: int
    comma: int | None
    is_whole: bool = False
    """A language model: it reads all words in one piece, and no weights."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What else decides how a text is read. `vectors`: how many rows each embedding has."""

    emphasis: Emphasis = Emphasis.ORIGINAL
    vectors: Mapping[str, int] = field(default_factory=dict)


def chunk_text(
    text: str, vocabulary: Vocabulary, reading: Reading, field: str = PROMPT
) -> tuple[Chunk, ...]:
    """The chunks of a text, at least one. Raises InvalidRequest for `field`."""
    if reading.emphasis is Emphasis.NONE:
        sections: tuple[Section, ...] = ((Span(text=text),),)
    else:
        sections = parse_weights(text)
    tokens = [
        [token for span in section for token in _tokens(span, vocabulary, reading, field)]
        for section in sections
    ]
    return split_chunks(tokens, vocabulary.size, vocabulary.comma)


def _tokens(span: Span, vocabulary: Vocabulary, reading: Reading, field: str) -> Iterator[Token]:
    if not abs(span.weight) <= LARGEST_PRODUCT:
        raise InvalidRequest(
            field,
            f"“{span.text[:30]}” gets the weight {span.weight:.4g} from all its brackets; beyond "
            f"{LARGEST_PRODUCT:g} nothing can be seen. Leave some brackets out.",
        )
    weight = 1.0 if reading.emphasis is Emphasis.IGNORE else span.weight
    end = 0
    for named in find_embeddings(span.text, reading.vectors):
        yield from _plain(span.text[end : named.start], weight, vocabulary)
        rows = reading.vectors[named.name]
        if rows > vocabulary.size:
            raise InvalidRequest(
                field,
                f"The embedding “{named.name}” has {rows} vectors, but this model reads "
                f"{vocabulary.size} tokens at once. Leave it out.",
            )
        for row in range(rows):
            yield Token(id=EMBEDDED, weight=weight, embedding=named.name, row=row)
        end = named.end
    yield from _plain(span.text[end:], weight, vocabulary)


def _plain(text: str, weight: float, vocabulary: Vocabulary) -> Iterator[Token]:
    return (Token(id=id, weight=weight) for id in vocabulary.tokenize(text))
