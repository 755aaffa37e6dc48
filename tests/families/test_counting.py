"""The counter beside the prompt counts what models with a language model read."""

from __future__ import annotations

from typing import Any, Final

import pytest

from webui.core.request import Emphasis
from webui.families import load_families
from webui.prompting.counter import count_tokens

pytestmark = pytest.mark.torch

FAMILIES: Final = ("zimage", "flux2", "qwen")
TEXTS: Final = (
    "a cat",
    "  a (red:1.2) apple, [blurred] don't\n\non 3 tables  ",
    "ein größeres Café, 一只猫坐在窗边 🐈",
    "<|im_start|>user<think> and \\(brackets\\)",
    "",
)


def count(family: str, text: str, **given: Any) -> tuple[int, int]:
    """The tokens of a text, and how many may be."""
    found: Any = load_families()[family]
    folder, size = found.reading("")
    told = count_tokens(text, folder, size=size, **given)
    return told.tokens, told.limit


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_the_model(text: str) -> None:
    from webui.families.language_tokenizer import load_language_tokenizer
    from webui.prompting.weights import without_weights

    tokenizer = load_language_tokenizer("", "qwen3", None)
    wanted = len(tokenizer(without_weights(text)).input_ids)
    assert {count(family, text)[0] for family in FAMILIES} == {wanted}


def test_brackets_count_where_they_are_words() -> None:
    assert count("qwen", "(red:1.2)")[0] == count("qwen", "red")[0]
    assert count("qwen", "(red:1.2)", emphasis=Emphasis.NONE)[0] > count("qwen", "red")[0]


def test_the_longest_of_several_texts_counts() -> None:
    longest = count("zimage", "a very long text about a cat")[0]
    assert count("zimage", "[a cat:a very long text about a cat:0.5]")[0] == longest


@pytest.mark.parametrize("family", FAMILIES)
def test_as_many_may_be_as_the_model_takes(family: str) -> None:
    from webui.engine.architectures import flux2, qwen, zimage
    from webui.families.language_tokenizer import load_language_tokenizer

    talk = {"zimage": zimage.TALK, "flux2": flux2.TALK, "qwen": qwen.TALK}[family]
    tokenizer = load_language_tokenizer("", "qwen3", None)
    around = len(tokenizer(f"{talk.before}a{talk.after}").input_ids) - len(tokenizer("a").input_ids)
    assert count(family, "a")[1] == talk.most_tokens - around
