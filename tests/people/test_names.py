"""What people may be called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest
from webui.people.names import MOST_CHARACTERS, clean_name, fold


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Ada Lovelace",
        "jürgen",
        "Ada.L-2",
        "O'Neill",
        "Мария",
        "鈴木",
        "हिन्दी",
        "สมชาย",
        "עדה",
    ],
)
def test_names_of_the_world_are_taken_as_they_are(name: str) -> None:
    assert clean_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "...",
        "x" * (MOST_CHARACTERS + 1),
        "a\nb",
        "a\tb",
        "a\0b",
        "evil\u202eeman",
        "zero\u200bwidth",
        "soft\u00adhyphen",
        "\ufeffada",
        "\u3164",
        "a\u3164",
        "<b>ada</b>",
        "ada/../x",
        'ada"',
        "a\u0332d",
        "ad\u0430",
        "\u03bfwner",
        "ada\U0001f600",
        "\ud800",
        "क" + "\u0902" * 9,
    ],
)
def test_names_that_deceive_or_break_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        clean_name(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "other",
    ["ADA", " ada ", "Ａｄａ", "ad\u0061", "ADA\u00a0"],
)
def test_the_same_name_in_other_dress_is_the_same(other: str) -> None:
    assert fold(other) == fold("Ada")


@given(st.text(max_size=60))
def test_any_text_is_refused_or_becomes_a_name_that_stays(text: str) -> None:
    try:
        name = clean_name(text)
    except InvalidRequest:
        return
    assert clean_name(name) == name
    assert fold(name) == fold(text)
    assert 0 < len(name) <= MOST_CHARACTERS
    assert name.isprintable()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs") for c in name)


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
