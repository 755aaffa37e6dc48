"""What brackets and BREAK in a prompt mean."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.prompting.weights import Span, parse_weights

UP, DOWN = 1.1, 1 / 1.1


def one(prompt: str) -> list[tuple[str, float]]:
    (section,) = parse_weights(prompt)
    return [(span.text, pytest.approx(span.weight)) for span in section]


@pytest.mark.parametrize(
    ("prompt", "spans"),
    [
        ("a cat", [("a cat", 1)]),
        ("(a cat)", [("a cat", UP)]),
        ("((a cat))", [("a cat", UP**2)]),
        ("[a cat]", [("a cat", DOWN)]),
        ("a (cat:1.3) here", [("a ", 1), ("cat", 1.3), (" here", 1)]),
        ("(cat: 1.3 )", [("cat", 1.3)]),
        ("(cat:.5)", [("cat", 0.5)]),
        ("(cat:-1)", [("cat", -1)]),
        ("(a (b:2) c:1.5)", [("a ", 1.5), ("b", 3), (" c", 1.5)]),
        ("(a [b])", [("a ", UP), ("b", 1)]),
        (r"\(a\) \[b\] \\", [("(a) [b] \\", 1)]),
        (r"(a \(b\):2)", [("a (b)", 2)]),
        ("(a", [("a", UP)]),
        ("((a) b", [("a", UP**2), (" b", UP)]),
        ("[a", [("a", DOWN)]),
        ("a) b]", [("a) b]", 1)]),
        ("a:1.3) b", [("a:1.3) b", 1)]),
        ("(a:b)", [("a:b", UP)]),
        ("(a:1.2.3)", [("a:1.2.3", UP)]),
        ("(a [b) c]", [("a ", UP), ("b", 1), (" c", DOWN)]),
        ("16:9 photo: a cat", [("16:9 photo: a cat", 1)]),
        (r"a\b", [("ab", 1)]),
        ("()(:1.5)", []),
        ("", []),
    ],
)
def test_brackets_weigh_what_they_enclose(prompt: str, spans: list[tuple[str, float]]) -> None:
    assert one(prompt) == spans


def test_break_begins_a_section() -> None:
    assert parse_weights("a cat BREAK  (a dog)") == (
        (Span(text="a cat"),),
        (Span(text="a dog", weight=1.1),),
    )


def test_break_splits_inside_brackets() -> None:
    assert parse_weights("(a BREAK b:2)") == (
        (Span(text="a", weight=2.0),),
        (Span(text="b", weight=2.0),),
    )


def test_break_is_a_whole_word_in_capitals() -> None:
    assert len(parse_weights("a coffee break, BREAKFAST, breaking")) == 1


def test_spans_of_equal_weight_are_one() -> None:
    assert one("(a) (b)")[0] == ("a", pytest.approx(UP))
    assert one("a (b:1) c") == [("a b c", 1)]


@given(st.text(alphabet=r"ab ,:.0123456789()[]\BREAK" + "é猫"))
def test_any_text_is_understood(prompt: str) -> None:
    for section in parse_weights(prompt):
        for span in section:
            assert span.text
            assert math.isfinite(span.weight)


@given(st.text(alphabet=st.characters(exclude_characters="BREAK")))
def test_escaped_text_comes_back_unweighted(text: str) -> None:
    escaped = "".join("\\" + sign if sign in r"()[]\\" else sign for sign in text)
    (section,) = parse_weights(escaped)
    assert section == ((Span(text=text),) if text else ())


@given(st.text(alphabet="ab ,", min_size=1), st.integers(0, 8), st.integers(0, 8))
def test_nested_brackets_multiply(text: str, rounds: int, squares: int) -> None:
    prompt = "(" * rounds + "[" * squares + text + "]" * squares + ")" * rounds
    assert one(prompt) == [(text, UP**rounds * DOWN**squares)]
