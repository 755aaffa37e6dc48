"""Values of declared inputs that the command line gives."""

from __future__ import annotations

import pytest

from tests.extend.conftest import Workshop
from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest
from webui.extend.extension import State
from webui.extend.extensions import Extensions, Places
from webui.extend.given import read_given

RED = """
    INPUTS = [Toggle("enabled", "Red"), Slider("amount", "Amount", 0.5), Text("words", "Words")]

    @hook
    def image_post(item, inputs): ...
"""


def opened(workshop: Workshop, text: str) -> Extensions:
    workshop.write("red", RED)
    places = Places(shipped=workshop.root / "shipped", folder=workshop.folder, data=workshop.data)
    extensions = Extensions(places, given=read_given(text))
    workshop.opened.append(extensions)
    extensions.start()
    extensions.enable("red")
    return extensions


def test_given_values_count_where_a_request_says_nothing(workshop: Workshop) -> None:
    extensions = opened(workshop, "red.enabled=on; red.amount=0.25; red.words=a = b")
    asked = GenerationRequest(extensions={"red": {"amount": 0.75}})
    assert extensions.values(asked) == {"red": {"enabled": True, "amount": 0.75, "words": "a = b"}}
    assert extensions.values(GenerationRequest())["red"]["amount"] == 0.25


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("red.amount=7", "Amount 7 is not between 0 and 1"),
        ("red.amount=much", "Amount is a number"),
        ("red.enabled=perhaps", "Red is on or off"),
        ("red.size=1", "there is no such input"),
    ],
)
def test_one_that_does_not_fit_keeps_its_extension_off(
    workshop: Workshop, text: str, why: str
) -> None:
    found = opened(workshop, text).get("red")
    assert found.state is State.FAILED
    assert why in found.error
    assert text.partition("=")[0] in found.error


@pytest.mark.parametrize("text", ["red", "red=1", "red.amount", ".amount=1", "red.=1"])
def test_what_names_no_input_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="gives no input a value"):
        read_given(text)
