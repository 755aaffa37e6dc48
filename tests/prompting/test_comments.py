"""Where a comment begins, and where # is only a sign."""

from __future__ import annotations

import pytest

from webui.prompting import parse, write


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("a cat # not a dog", "a cat "),
        ("# title\na cat\n# end", "\na cat\n"),
        ("a cat, #quick note\nblack", "a cat, \nblack"),
        ("a #1 cat", "a "),
        ("##", ""),
        ("a #facade", "a "),
        ("C# code", "C# code"),
        ("a #ff8800 dress", "a #ff8800 dress"),
        ("a #F80, b", "a #F80, b"),
        ("a #fff wall", "a #fff wall"),
        ("a #ff88001 dress", "a "),
        (r"a \# b", r"a \# b"),
    ],
)
def test_comments_are_gone(prompt: str, left: str) -> None:
    assert write(parse(prompt)) == left
