"""Network tags: what they ask for, and what is left of the prompt."""

from __future__ import annotations

from typing import Any

import pytest

from webui.prompting import NetworkTag, network_tags
from webui.prompting.networks import BLOCK_LAYOUTS, WeightPoint, write_tag


def tag(text: str) -> NetworkTag:
    ((only,), rest) = network_tags(text)
    assert rest == ""
    return only


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<lora:x>", {}),
        ("<lora:x:0.8>", {"text_weight": 0.8, "unet_weight": 0.8}),
        ("<lora:x:0.8:0.5>", {"text_weight": 0.8, "unet_weight": 0.5}),
        ("<lora:x:0.8:0.5:8>", {"text_weight": 0.8, "unet_weight": 0.5, "rank": 8}),
        ("<lora:x:te=0:unet=0.7>", {"text_weight": 0.0, "unet_weight": 0.7}),
        ("<lora:x:te=0.4>", {"text_weight": 0.4, "unet_weight": 0.4}),
        ("<lora:x:0.5:unet=1>", {"text_weight": 0.5, "unet_weight": 1.0}),
        ("<lora:x:0.5:dyn=4>", {"text_weight": 0.5, "unet_weight": 0.5, "rank": 4}),
        ("<lora:x: -1.5 >", {"text_weight": -1.5, "unet_weight": -1.5}),
        ("<LORA:x:0>", {"text_weight": 0.0, "unet_weight": 0.0}),
        ("<lyco:x:0.8>", {"text_weight": 0.8, "unet_weight": 0.8}),
    ],
)
def test_weights_are_given_by_place_or_by_name(text: str, fields: dict[str, Any]) -> None:
    assert tag(text) == NetworkTag(name="x", **fields)


def test_tags_stand_anywhere_and_leave_the_rest() -> None:
    tags, rest = network_tags("a <lora:b c.v1:1> (cat<lora:sub/d:0.5>:1.2) [<lora:e>:5]")
    places = [(each.name, each.position) for each in tags]
    assert places == [("b c.v1", 2), ("sub/d", 22), ("e", 45)]
    assert rest == "a  (cat:1.2) [:5]"


def test_comments_are_left_out_too() -> None:
    assert network_tags("a # <lora:x:1>\nb") == ((), "a \nb")


def test_a_weight_may_change_in_the_course_of_a_run() -> None:
    read = tag("<lora:x:[1@0, 0.4@0.5, 0@0.9]>")
    assert read.schedule[1] == WeightPoint(weight=0.4, start=0.5)
    times = (0.0, 0.49, 0.5, 0.89, 0.9, 1.0)
    assert [read.unet_weight_at(time) for time in times] == [1, 1, 0.4, 0.4, 0, 0]
    assert read.text_weight == 1


def test_a_schedule_that_begins_late_holds_before() -> None:
    assert tag("<lora:x:[0.5@0.3]:te=0>").unet_weight_at(0) == 0.5


def test_a_weight_without_schedule_is_constant() -> None:
    assert tag("<lora:x:0.8>").unet_weight_at(0.7) == 0.8


@pytest.mark.parametrize("count", [12, 17, 20, 26])
def test_blocks_have_weights_by_name(count: int) -> None:
    values = [round(i / 10, 1) for i in range(count)]
    read = tag(f"<lora:x:1:lbw={','.join(map(str, values))}>")
    assert list(read.blocks.values()) == values
    assert next(iter(read.blocks)) == "BASE"
    assert "MID" in read.blocks
    assert len(set(BLOCK_LAYOUTS[count])) == count


def test_seventeen_blocks_are_those_with_attention() -> None:
    assert BLOCK_LAYOUTS[17][:8] == ("BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID")
    assert BLOCK_LAYOUTS[17][8:] == tuple(f"OUT{i:02}" for i in range(3, 12))


@pytest.mark.parametrize(
    "text",
    [
        "<lora:x:0.1:0.2:8>",
        "<lora:x:[1@0, 0.4@0.5]:te=0.3:dyn=2>",
        "<lora:x:1:lbw=" + ",".join(["0.5"] * 17) + ">",
    ],
)
def test_a_tag_written_and_read_is_the_same(text: str) -> None:
    assert tag(write_tag(tag(text))) == tag(text)
