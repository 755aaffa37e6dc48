"""What a prompt says at each step. The numbers are those that A1111 documents."""

from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.prompting import parse, schedule

STEPS = 10


def stages(prompt: str, steps: int = STEPS, first: int | None = None) -> list[list[object]]:
    (part,) = parse(prompt).parts
    return [[stage.end, stage.text] for stage in schedule(part.nodes, steps, first)]


def alternating(*texts: str) -> list[list[object]]:
    return [[step, text] for step, text in enumerate(islice(cycle(texts), STEPS), 1)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("test", [[10, "test"]]),
        ("", [[10, ""]]),
        ("a [b:3]", [[3, "a "], [10, "a b"]]),
        ("a [b: 3]", [[3, "a "], [10, "a b"]]),
        ("a [b: 3 ]", [[3, "a "], [10, "a b"]]),
        ("a [b::3]", [[3, "a b"], [10, "a "]]),
        ("a [[[b]]:2]", [[2, "a "], [10, "a [[b]]"]]),
        ("[(a:2):3]", [[3, ""], [10, "(a:2)"]]),
        ("a [b : c : 1] d", [[1, "a b  d"], [10, "a  c  d"]]),
        ("a[b:[c:d:2]:1]e", [[1, "abe"], [2, "ace"], [10, "ade"]]),
        ("a [unbalanced", [[10, "a [unbalanced"]]),
        ("a [b:.5] c", [[5, "a  c"], [10, "a b c"]]),
        ("a [{b|d{:.5] c", [[5, "a  c"], [10, "a {b|d{ c"]]),
        ("((a][:b:c [d:3]", [[3, "((a][:b:c "], [10, "((a][:b:c d"]]),
        ("[a|(b:1.1)]", alternating("a", "(b:1.1)")),
        ("[fe|]male", alternating("female", "male")),
        ("[fe|||]male", alternating("female", "male", "male", "male")),
        ("(a [b:c:5]:1.2)", [[5, "(a b:1.2)"], [10, "(a c:1.2)"]]),
        ("[a:b:0.25]", [[2, "a"], [10, "b"]]),
        ("[a:b:1.0]", [[10, "a"]]),
        ("[a:b:1]", [[1, "a"], [10, "b"]]),
        ("[a:b:0]", [[10, "b"]]),
        ("[a:b:-3]", [[10, "b"]]),
        ("[a:b:99]", [[10, "a"]]),
        ("[a:b:" + "9" * 400 + "]", [[10, "a"]]),
        (r"[a\:b:c:3]", [[3, r"a\:b"], [10, "c"]]),
        ("[a:b:c:3]", [[10, "[a:b:c:3]"]]),
        ("[x [a:b] y:3]", [[10, "[x [a:b] y:3]"]]),
        ("cat (a:b:c) [d:3]", [[3, "cat (a:b:c) "], [10, "cat (a:b:c) d"]]),
        ("16:9 [photo:3]", [[3, "16:9 "], [10, "16:9 photo"]]),
    ],
)
def test_schedules_are_those_of_a1111(prompt: str, expected: list[list[object]]) -> None:
    assert stages(prompt) == expected


def test_alternation_goes_on_inside_a_schedule() -> None:
    texts = [text for _, text in stages("[[a|b]:c:4]")]
    assert texts == ["a", "b", "a", "b", *["c"] * 6]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a [b:.5] c", [[10, "a b c"]]),
        ("a [b:1.5] c", [[5, "a  c"], [10, "a b c"]]),
        ("a [b:15] c", [[5, "a  c"], [10, "a b c"]]),
        ("a [b:5] c", [[10, "a b c"]]),
        ("a [b::5] c", [[10, "a  c"]]),
    ],
)
def test_a_hires_pass_counts_on(prompt: str, expected: list[list[object]]) -> None:
    assert stages(prompt, first=10) == expected


def test_a_bar_outside_square_brackets_is_a_bar() -> None:
    """A1111 gives up on the whole prompt here and schedules nothing."""
    assert stages("a | b (c|d) [e:3]") == [[3, "a | b (c|d) "], [10, "a | b (c|d) e"]]


@given(st.text(alphabet=r"ab ()[]:|.\1 5"), st.integers(1, 40))
def test_stages_are_in_order_and_end_with_the_run(prompt: str, steps: int) -> None:
    for part in parse(prompt.replace(":", " :", 1)).parts:
        ends = [stage.end for stage in schedule(part.nodes, steps)]
        assert ends == sorted(set(ends))
        assert ends[-1] == steps
        assert ends[0] >= 1


@given(st.text(alphabet="ab (:1.)\\", max_size=30))
def test_without_square_brackets_a_prompt_says_one_thing(prompt: str) -> None:
    (part,) = parse(prompt, is_negative=True).parts
    assert [stage.text for stage in schedule(part.nodes, STEPS)] == [prompt]
