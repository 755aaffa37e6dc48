"""Where a long prompt is cut."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from webui.prompting.chunks import EMBEDDED, Chunk, Token, split_chunks

COMMA = 0
SIZE = 75


def words(count: int, comma_at: Sequence[int] = ()) -> list[Token]:
    return [Token(id=COMMA if i in comma_at else i + 1) for i in range(count)]


def lengths(chunks: Sequence[Chunk]) -> list[int]:
    return [len(chunk) for chunk in chunks]


def test_no_text_is_one_empty_chunk() -> None:
    assert split_chunks([], SIZE, COMMA) == ((),)
    assert split_chunks([[]], SIZE, COMMA) == ((),)


def test_a_full_chunk_is_not_cut() -> None:
    assert lengths(split_chunks([words(75)], SIZE, COMMA)) == [75]
    assert lengths(split_chunks([words(76)], SIZE, COMMA)) == [75, 1]


def test_a_phrase_moves_to_the_next_chunk_whole() -> None:
    assert lengths(split_chunks([words(80, comma_at=[69])], SIZE, COMMA)) == [70, 10]


def test_only_the_last_comma_counts() -> None:
    assert lengths(split_chunks([words(80, comma_at=[60, 69])], SIZE, COMMA)) == [70, 10]


def test_a_comma_out_of_reach_is_ignored() -> None:
    nearest = split_chunks([words(80, comma_at=[55])], SIZE, COMMA)
    too_far = split_chunks([words(80, comma_at=[54])], SIZE, COMMA)
    assert (lengths(nearest), lengths(too_far)) == ([56, 24], [75, 5])


def test_a_comma_behind_a_full_chunk_begins_the_next() -> None:
    assert lengths(split_chunks([words(80, comma_at=[70, 75])], SIZE, COMMA)) == [75, 5]


def test_a_vocabulary_without_comma_is_cut_by_count() -> None:
    assert lengths(split_chunks([words(160, comma_at=[70])], SIZE, None)) == [75, 75, 10]


def test_each_break_begins_a_chunk_but_one_at_the_end() -> None:
    a, b = words(3), words(2)
    assert lengths(split_chunks([a, b], SIZE, COMMA)) == [3, 2]
    assert lengths(split_chunks([[], a], SIZE, COMMA)) == [0, 3]
    assert lengths(split_chunks([a, [], b], SIZE, COMMA)) == [3, 0, 2]
    assert lengths(split_chunks([a, []], SIZE, COMMA)) == [3]


tokens = st.builds(Token, id=st.integers(0, 3), weight=st.floats(0.1, 2))


@given(st.lists(tokens, max_size=300), st.integers(1, 80))
def test_cutting_keeps_every_token_in_order(section: list[Token], size: int) -> None:
    chunks = split_chunks([section], size, COMMA)
    assert [token for chunk in chunks for token in chunk] == section
    assert all(len(chunk) <= size for chunk in chunks)
    assert all(chunk or not section for chunk in chunks)


def embedded(rows: int, name: str = "e") -> list[Token]:
    return [Token(id=EMBEDDED, embedding=name, row=row) for row in range(rows)]


def test_an_embedding_moves_to_the_next_chunk_whole() -> None:
    assert lengths(split_chunks([words(70) + embedded(8) + words(2)], SIZE, COMMA)) == [70, 10]
    assert lengths(split_chunks([words(70) + embedded(5)], SIZE, COMMA)) == [75]
    assert lengths(split_chunks([embedded(75) + embedded(75, "f")], SIZE, COMMA)) == [75, 75]


def test_a_phrase_moves_with_an_embedding_behind_a_full_chunk() -> None:
    """A1111's rule: a full chunk goes back to its comma, one with room left does not."""
    full = words(75, comma_at=[69]) + embedded(3)
    assert lengths(split_chunks([full], SIZE, COMMA)) == [70, 8]
    roomy = words(74, comma_at=[69]) + embedded(3)
    assert lengths(split_chunks([roomy], SIZE, COMMA)) == [74, 3]


blocks = st.lists(tokens.map(lambda token: [token]) | st.integers(1, 10).map(embedded), max_size=60)


@given(blocks, st.integers(10, 40))
def test_no_embedding_is_ever_cut(pieces: list[list[Token]], size: int) -> None:
    section = [token for piece in pieces for token in piece]
    chunks = split_chunks([section], size, COMMA)
    assert [token for chunk in chunks for token in chunk] == section
    assert all(chunk[0].row == 0 for chunk in chunks if chunk)
    assert all(len(chunk) <= size for chunk in chunks)
