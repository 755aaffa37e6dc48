"""Values as people write them: lists, ranges, counts, quotes, and what can't be read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest
from webui.plans.values import csv_line, numbers, whole_numbers, words


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1, 2,5", [1, 2, 5]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("5-1", [5, 4, 3, 2, 1]),
        ("1-5 (+2)", [1, 3, 5]),
        ("1-6(+2)", [1, 3, 5]),
        ("10-1 (-3)", [10, 7, 4, 1]),
        ("1-10 [5]", [1, 3, 5, 7, 10]),
        ("1-10 [1]", [1]),
        ("-1", [-1]),
        ("-3--1", [-3, -2, -1]),
        ("20, 30-40 (+5)", [20, 30, 35, 40]),
    ],
)
def test_whole_numbers_are_read_as_in_a1111(text: str, values: list[int]) -> None:
    assert whole_numbers(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7, 7.5", [7.0, 7.5]),
        ("0-1 (+0.25)", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("0-0.3 (+0.1)", [0.0, 0.1, 0.2, 0.3]),
        ("1-0 (-.5)", [1.0, 0.5, 0.0]),
        ("0-1 [3]", [0.0, 0.5, 1.0]),
        ("3-5", [3.0, 4.0, 5.0]),
    ],
)
def test_numbers_are_read_as_in_a1111(text: str, values: list[float]) -> None:
    assert numbers(text) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1, two", "“two” is no whole number"),
        ("1.5", "“1.5” is no whole number"),
        ("1-5 (+0)", "does not lead from 1 to 5"),
        ("1-5 (-1)", "does not lead from 1 to 5"),
        ("1-5 [0]", "Between 1 and"),
        ("1-99999999", "can't be used"),
        ('"open', "is not closed"),
    ],
)
def test_what_cannot_be_read_is_shown(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said.replace("(", r"\(")):
        whole_numbers(text)


def test_quotes_keep_commas() -> None:
    assert words(' a, "b, c" ,, d\ne') == ["a", "b, c", "d", "e"]


@settings(max_examples=50)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(
            lambda part: part == part.strip()
        ),
        min_size=1,
    )
)
def test_any_words_survive_being_written_down(parts: list[str]) -> None:
    assert words(csv_line(parts)) == parts
