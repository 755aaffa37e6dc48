"""Styles: A1111's files read and written, applied to prompts and found in them again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest, NotFound
from webui.prompting.styles import Style, StyleBook, Styled, apply, extract

OIL = Style(name="Oil", prompt="oil painting", negative_prompt="photo")
FRAME = Style(name="Frame", prompt="a picture of {prompt}, framed")
CSV = (
    "\ufeffname,prompt,negative_prompt,note\r\n"
    "------ mine ------,,,\r\n"
    'Oil,oil painting,photo,"a, b"\r\n'
    'Two lines,"one\ntwo",,\r\n'
)


@pytest.fixture
def book(tmp_path: Path) -> StyleBook:
    (tmp_path / "styles.csv").write_bytes(CSV.encode())
    return StyleBook(tmp_path / "styles.csv")


def names(book: StyleBook) -> list[str]:
    return [style.name for style in book.styles()]


def test_a_file_of_a1111_is_read(book: StyleBook) -> None:
    assert names(book) == ["Oil", "Two lines"]
    assert (book.get("Oil").prompt, book.get("Oil").negative_prompt) == ("oil painting", "photo")
    assert book.get("Two lines").prompt == "one\ntwo"


def test_the_old_name_of_the_column_is_understood(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("name,text\nOil,oil painting\n")
    assert StyleBook(tmp_path / "old.csv").get("Oil").prompt == "oil painting"


@pytest.mark.parametrize(
    ("prompt", "styles", "expected"),
    [
        ("a cat", [OIL], "a cat, oil painting"),
        ("", [OIL], "oil painting"),
        ("a cat", [FRAME], "a picture of a cat, framed"),
        ("a cat", [OIL, FRAME], "a picture of a cat, oil painting, framed"),
        ("a cat", [FRAME, OIL], "a picture of a cat, framed, oil painting"),
        ("a cat", [Style(name="x", negative_prompt="y")], "a cat"),
    ],
)
def test_styles_go_around_or_behind(prompt: str, styles: list[Style], expected: str) -> None:
    assert apply(Styled(prompt=prompt, negative_prompt=""), styles).prompt == expected


def test_both_prompts_get_theirs(book: StyleBook) -> None:
    done = book.apply(Styled(prompt="a cat", negative_prompt="dull", styles=("Oil",)))
    assert done == Styled(prompt="a cat, oil painting", negative_prompt="dull, photo")


def test_an_unknown_style_is_refused(book: StyleBook) -> None:
    with pytest.raises(InvalidRequest, match="no style “Nope”") as refused:
        book.apply(Styled(prompt="", negative_prompt="", styles=("Nope",)))
    assert refused.value.field == "styles"


@pytest.mark.parametrize("order", [(OIL, FRAME), (FRAME, OIL), (OIL,), (FRAME,), ()])
def test_styles_are_found_again(order: tuple[Style, ...]) -> None:
    done = apply(Styled(prompt="a cat", negative_prompt="dull"), order)
    found = extract(done.prompt, done.negative_prompt, [OIL, FRAME])
    assert found == Styled(
        prompt="a cat", negative_prompt="dull", styles=tuple(style.name for style in order)
    )


def test_a_style_needs_both_of_its_prompts() -> None:
    assert extract("a cat, oil painting", "dull", [OIL]).styles == ()


def test_the_longer_of_two_styles_is_found() -> None:
    short, long = Style(name="s", prompt="ink"), Style(name="l", prompt="brush, ink")
    assert extract("a cat, brush, ink", "", [short, long]).styles == ("l",)


texts = st.text(alphabet="ab ,{}", max_size=8) | st.sampled_from(["{prompt}", "a {prompt} b", ""])
styles = st.lists(
    st.builds(Style, name=st.text(min_size=1, max_size=5), prompt=texts, negative_prompt=texts),
    max_size=4,
    unique_by=lambda style: style.name,
)


@given(texts, texts, styles)
def test_found_styles_applied_again_give_the_same_prompts(
    prompt: str, negative: str, known: list[Style]
) -> None:
    found = extract(prompt, negative, known)
    by_name = {style.name: style for style in known}
    again = apply(found, [by_name[name] for name in found.styles])
    assert (again.prompt, again.negative_prompt) == (prompt, negative)


def test_a_saved_style_is_in_the_file_for_a1111(book: StyleBook, tmp_path: Path) -> None:
    book.save(Style(name="Neu, ä", prompt='a "b"', negative_prompt="c\nd"))
    assert names(book) == ["Oil", "Two lines", "Neu, ä"]
    again = StyleBook(tmp_path / "styles.csv")
    assert again.styles() == book.styles()
    data = (tmp_path / "styles.csv").read_bytes()
    assert data.startswith("\ufeffname,prompt,negative_prompt,note\r\n".encode())
    assert b'Oil,oil painting,photo,"a, b"\r\n' in data


def test_a_style_can_be_changed_and_removed(book: StyleBook) -> None:
    book.save(Style(name="Oil", prompt="oils"))
    assert (book.get("Oil").prompt, names(book)) == ("oils", ["Oil", "Two lines"])
    assert book.get("Oil").more == {"note": "a, b"}
    book.delete("Oil")
    assert names(book) == ["Two lines"]
    with pytest.raises(NotFound):
        book.delete("Oil")


@pytest.mark.parametrize("name", ["", "  ", "------x"])
def test_a_style_needs_a_name(book: StyleBook, name: str) -> None:
    with pytest.raises(InvalidRequest):
        book.save(Style(name=name))


def test_the_first_of_several_files_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "sub" / "b.csv"
    StyleBook(second).save(Style(name="x", prompt="second"))
    StyleBook(second).save(Style(name="y", prompt="y"))
    book = StyleBook(first, second)
    assert names(book) == ["x", "y"]
    StyleBook(first).save(Style(name="x", prompt="first"))
    assert book.get("x").prompt == "first"
    book.save(Style(name="y", prompt="changed"))
    assert StyleBook(second).get("y").prompt == "changed"
    book.save(Style(name="z"))
    assert names(StyleBook(first)) == ["x", "z"]
    book.delete("x")
    assert (names(StyleBook(first)), names(StyleBook(second))) == (["z"], ["y"])


def test_changes_in_the_file_are_seen(book: StyleBook, tmp_path: Path) -> None:
    assert len(names(book)) == 2
    (tmp_path / "styles.csv").write_text("name,prompt\nOnly,one\n")
    assert names(book) == ["Only"]
    (tmp_path / "styles.csv").unlink()
    assert names(book) == []


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "styles.csv").write_text("name,prompt\nx," + "a" * 200_000)
    with pytest.raises(InvalidRequest, match=r"styles\.csv can't be read"):
        StyleBook(tmp_path / "styles.csv").styles()
