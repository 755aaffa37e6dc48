"""Prompts read to data and written back, and what is said of places where they are wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.core.errors import InvalidRequest
from webui.prompting import NetworkTag, Prompt, parse, write
from webui.prompting.faults import WrongPrompt
from webui.prompting.prompt import Part
from webui.prompting.tree import Alternation, Nodes, Scheduled, Text, Weighted

any_text = st.text(alphabet=r"abAND ,:|.0123456789()[]\<>#{}-" + "\né猫")
pieces = st.sampled_from(
    ["a", "cat", " ", ":", "|", "(", ")", "[", "]", ":0.5", ":3", " AND ", " BREAK ", "\\", "\\(",
     "<lora:x:0.5>", "<lora:y:", ">", "# no", "\n", "#ff8800", "1.2", "-"]
)  # fmt: skip
likely_text = st.lists(pieces, max_size=25).map("".join)


def reads(text: str) -> Prompt | None:
    """The prompt, or None for one that is refused."""
    try:
        return parse(text)
    except WrongPrompt:
        return None


@given(any_text | likely_text)
@settings(max_examples=300)
def test_read_written_and_read_again_is_the_same(text: str) -> None:
    read = reads(text)
    if read is not None:
        assert parse(write(read)) == read


@given(st.text(alphabet=r"abAND ,:|.0123456789()[]\{}-" + "\né猫"))
@settings(max_examples=300)
def test_nothing_is_lost_in_writing(text: str) -> None:
    read = reads(text)
    if read is not None:
        assert write(read) == text


plain = st.text(alphabet="abc ", min_size=1).map(lambda text: Text(text=text))
number = st.floats(-9, 9).map(lambda value: f"{value:.3f}") | st.integers(-99, 99).map(str)


def tree(inner: st.SearchStrategy[Nodes]) -> st.SearchStrategy[Nodes]:
    weighted = st.one_of(
        st.builds(Weighted, bracket=st.just("("), inside=inner, weight=st.none() | number),
        st.builds(Weighted, bracket=st.just("["), inside=inner, weight=st.none()),
    )
    scheduled = st.builds(Scheduled, before=st.none() | inner, after=inner, when=number)
    alternation = st.builds(Alternation, options=st.lists(inner, min_size=2, max_size=4).map(tuple))
    node = st.one_of(weighted, scheduled, alternation)
    return st.builds(lambda a, b, c: (a, b, c), plain, node, plain)


trees = st.recursive(plain.map(lambda node: (node,)), tree, max_leaves=8)
networks = st.builds(
    NetworkTag,
    name=st.text(alphabet="abc_-. 1", min_size=1).map(lambda name: f"x{name}x"),
    text_weight=st.floats(-2, 2),
    unet_weight=st.floats(-2, 2),
    rank=st.none() | st.integers(1, 64),
)


@given(st.lists(trees, min_size=1, max_size=3), st.lists(networks, max_size=2))
def test_whatever_can_be_said_can_be_written(parts: list[Nodes], tags: list[NetworkTag]) -> None:
    """The other way round: any tree, its text, and the tree again."""
    prompt = Prompt(parts=tuple(Part(nodes=_spaced(part)) for part in parts), networks=tuple(tags))
    assert parse(write(prompt)) == prompt


def _spaced(nodes: Nodes) -> Nodes:
    """The nodes so that an AND beside them is a word of its own."""
    head, *rest = nodes
    assert isinstance(head, Text)
    *middle, tail = (Text(text=" " + head.text), *rest)
    assert isinstance(tail, Text)
    return (*middle, Text(text=tail.text + " "))


def test_parts_have_weights() -> None:
    parts = parse("a cat AND a (dog:1.2) :0.7 AND -x :-.5").parts
    assert [part.weight for part in parts] == [1.0, 0.7, -0.5]


def test_an_escaped_colon_is_a_colon() -> None:
    (part,) = parse(r"photo, 16\:9").parts
    assert part.weight == 1.0


def test_and_is_a_whole_word_in_capitals() -> None:
    assert len(parse("sand and SAND, ANDES").parts) == 1


def test_a_negative_prompt_has_one_part() -> None:
    (part,) = parse("a AND b :0.5", "negative_prompt", is_negative=True).parts
    assert part.weight == 1.0


def test_parts_are_cut_before_brackets_are_read() -> None:
    """As A1111: an AND inside brackets ends them."""
    assert len(parse("(a AND b:1.2)").parts) == 2


@pytest.mark.parametrize(
    ("prompt", "position", "words"),
    [
        ("a (cat:500)", 2, "weight 500 is beyond 100 at character 3 (“(cat:500)”)"),
        ("# one\n(cat:500)", 6, "at character 7"),
        ("<lora:x:1>(cat:500)", 10, "at character 11"),
        ("a AND b :101", 7, "weight 101"),
        ("a <lora::1>", 2, "no name at character 3"),
        ("a <lora:>", 2, "no name"),
        ("<lora:x:much>", 0, "“much” is no number"),
        ("<lora:x:nan>", 0, "nan is beyond"),
        ("<lora:x:1:lbw=1,2>", 0, "There are 2 block weights"),
        ("<lora:x:[1@5]>", 0, "5 is beyond 1"),
        ("<lora:x:[1@-0.5]>", 0, "-0.5 of a weight is negative"),
        ("(" * 120 + "a" + ")" * 120, 19, "more than 100 brackets"),
    ],
)
def test_what_cant_be_meant_is_refused_at_its_character(
    prompt: str, position: int, words: str
) -> None:
    with pytest.raises(WrongPrompt) as refused:
        parse(prompt)
    assert refused.value.position == position
    assert words in refused.value.message
    assert refused.value.field == "prompt"


def test_a_refusal_names_the_field() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse("(x:999)", "negative_prompt", is_negative=True)
    assert refused.value.field == "negative_prompt"


@pytest.mark.parametrize(
    ("prompt", "position", "words"),
    [
        ("a (cat", 2, "“(” is never closed"),
        ("a cat]", 5, "“]” closes nothing"),
        ("(a]", 2, "“]” closes nothing"),
        ("x [a:b]", 2, "no schedule"),
        ("x (a:b:c)", 2, "more than one “:”"),
        ("photo 16:9", 8, "“:9” weighs this whole prompt"),
        ("<hypernet:old:1>", 0, "Hypernetworks don't work"),
        ("<thing:x>", 0, "no kind of network"),
        ("<lora:x:1:sparkle=2>", 0, "“sparkle=” means nothing"),
        ("# one\na (cat", 8, "never closed"),
        ("<lora:x:1> a (cat", 13, "never closed"),
        ("a AND (cat", 6, "never closed"),
    ],
)
def test_what_is_doubtful_is_remarked_at_its_character(
    prompt: str, position: int, words: str
) -> None:
    (remark,) = parse(prompt).remarks
    assert remark.position == position
    assert words in remark.message


def test_a_network_in_the_negative_prompt_is_remarked() -> None:
    (remark,) = parse("bad <lora:x>", is_negative=True).remarks
    assert remark.position == 4


@pytest.mark.parametrize(
    "prompt",
    ["a (cat:1.2) and [a dog:0.5], [x|y] \\(z\\)", "a AND b :0.5", "(a:b) [c]", "<lora:x:0.5>", ""],
)
def test_of_a_good_prompt_there_is_little_to_say(prompt: str) -> None:
    assert [r for r in parse(prompt).remarks if "weighs" not in r.message] == []


@given(any_text | likely_text)
def test_every_place_lies_in_the_prompt(text: str) -> None:
    try:
        places = [remark.position for remark in parse(text).remarks]
    except WrongPrompt as refused:
        places = [refused.position]
    assert all(0 <= place < len(text) for place in places)


@given(likely_text)
def test_weights_are_numbers(text: str) -> None:
    for part in (reads(text) or Prompt(parts=())).parts:
        assert math.isfinite(part.weight)
