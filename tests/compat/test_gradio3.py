"""Gradio 3 and 4 on Gradio 6: what old code gets, and that others find Gradio as it was."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.blocks import Block
from PIL import Image

from webui.compat.gradio3.adapter import adapting, watching
from webui.compat.gradio3.arguments import CLOSED_CLASS, HIDDEN_CLASS, called
from webui.compat.gradio3.handlers import understood

old: Any = gr
"""As old code sees it: with names that are no more."""


def drawn(draw: Callable[[], Any]) -> Any:
    """What `draw` gives, within a page of old code."""

    async def run() -> Any:  # Gradio wants a loop, and outside of one it makes one of its own
        await asyncio.sleep(0)
        with adapting(), gr.Blocks(css=".x {}", theme="default"):
            return draw()

    return asyncio.run(run())


def fired(answer: Any, output: Callable[[], Block]) -> Any:
    """What Gradio is given when an old handler answers so."""

    def draw() -> Any:
        part = output()
        button = gr.Button("Go")
        button.click(fn=lambda: answer(), inputs=[], outputs=[part])
        root = gr.context.Context.root_block
        assert root is not None
        return next(iter(root.fns.values())).fn

    return drawn(draw)()


def test_arguments_that_were_renamed_or_dropped() -> None:
    image = drawn(lambda: gr.Image(source="webcam", mirror_webcam=False, shape=(1, 2)))  # type: ignore[call-arg]
    slider = drawn(lambda: old.inputs.Slider(minimum=8, maximum=64, default=32, label="Size"))
    file = drawn(lambda: gr.File(type="bytes"))  # type: ignore[arg-type]
    assert (image.sources, slider.value, file.type) == (["webcam"], 32, "binary")


def test_texts_are_never_none_and_lists_begin_empty() -> None:
    assert drawn(lambda: gr.Textbox(label="a")).value == ""
    assert drawn(lambda: gr.TextArea()).value == ""
    assert drawn(lambda: gr.Dropdown(choices=("a", "b"), label="a")).value is None
    assert drawn(lambda: gr.Dropdown(["a"], multiselect=True)).value == []


@pytest.mark.parametrize(("text", "value"), [("20", 20), ("0.60", 0.6), ("-0.05", -0.05)])
def test_numbers_may_be_written_as_texts(text: str, value: float) -> None:
    assert drawn(lambda: gr.Slider(-1, 100, value=text)).value == value  # type: ignore[arg-type]
    assert drawn(lambda: gr.Number(text)).value == value  # type: ignore[arg-type]


def test_what_is_hidden_is_still_on_the_page() -> None:
    assert drawn(lambda: gr.Textbox(visible=False)).visible == "hidden"
    row = drawn(lambda: gr.Row(visible=False))
    assert row.visible is True
    assert HIDDEN_CLASS in row.elem_classes
    assert drawn(lambda: gr.Tab("x", visible=False)).visible is False


def test_closed_accordions_are_drawn_open_for_the_bridge_to_close() -> None:
    accordion = drawn(lambda: gr.Accordion("x", open=False))
    assert accordion.open is True
    assert CLOSED_CLASS in accordion.elem_classes


def test_names_that_are_gone() -> None:
    assert isinstance(drawn(lambda: old.Box()), gr.Group)
    assert isinstance(drawn(lambda: old.Variable(3)), gr.State)
    gallery = drawn(lambda: old.Gallery().style(grid=4, height="auto"))
    assert (gallery.columns, gallery.height) == (4, "auto")
    assert drawn(lambda: old.context.Context.root_block.dependencies) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: old.Textbox.update(value="x", visible=False), {"value": "x", "visible": "hidden"}),
        (lambda: old.update("x"), {"value": "x"}),
        (lambda: {"choices": ("a",), "__type__": "update"}, {"choices": ["a"]}),
    ],
)
def test_updates_mean_what_they_did(answer: Any, expected: dict[str, Any]) -> None:
    assert fired(answer, lambda: gr.Textbox()) == {**expected, "__type__": "update"}


def test_a_hidden_row_is_shown_by_an_update() -> None:
    update = fired(lambda: old.Row.update(visible=True), lambda: gr.Row(visible=False))
    assert update["visible"] is True
    assert HIDDEN_CLASS not in update["elem_classes"]


def test_files_are_lent_to_the_page_where_they_may_be_seen(tmp_path: Path) -> None:
    seen, secret = tmp_path / "seen.png", tmp_path / "secret.png"
    for path in (seen, secret):
        Image.new("RGB", (4, 4)).save(path)
    gallery = drawn(lambda: gr.Gallery())
    answer = understood([(str(seen), "a"), str(secret)], [gallery], lambda path: path == seen)
    (copy, caption), refused = answer
    assert (caption, refused) == ("a", str(secret))
    assert Path(copy) != seen
    assert Path(copy).read_bytes() == seen.read_bytes()


def test_javascript_of_events_may_be_a_name_that_comes_later() -> None:
    assert called("submit_it") == "(...args) => submit_it(...args)"
    assert called("(x) => [x]") == "(x) => [x]"

    def draw() -> Any:
        button = gr.Button("x")
        done: Any = button.click(fn=None, _js="submit_it", inputs=[], outputs=[])  # type: ignore[call-arg]
        done.then(fn=lambda: None, _js="() => 1")
        root = gr.context.Context.root_block
        assert root is not None
        return [(fn.js, fn.api_visibility) for fn in root.fns.values()]

    assert drawn(draw) == [("(...args) => submit_it(...args)", "private"), ("() => 1", "private")]


def test_generators_and_coroutines_stay_what_they_are() -> None:
    async def later(x: str) -> Any:
        await asyncio.sleep(0)
        return old.Textbox.update(value=x)

    def steps(x: str) -> Any:
        yield old.Textbox.update(value=x + "1")
        yield old.Textbox.update(value=x + "2")

    def draw() -> Any:
        box = gr.Textbox()
        box.change(fn=later, inputs=[box], outputs=[box])
        box.change(fn=steps, inputs=[box], outputs=[box])
        root = gr.context.Context.root_block
        assert root is not None
        return [fn.fn for fn in root.fns.values()]

    one, many = drawn(draw)
    assert asyncio.run(one("a"))["value"] == "a"
    assert [each["value"] for each in many("a")] == ["a1", "a2"]


def test_lists_take_what_they_do_not_list() -> None:
    def draw() -> Any:
        by_value = gr.Dropdown(["a"], label="x")
        by_index = gr.Radio(["a", "b"], type="index")
        return by_value.preprocess("other"), by_index.preprocess("b"), by_index.preprocess("other")

    assert drawn(draw) == ("other", 1, None)


def test_a_picture_to_paint_on_gives_picture_and_mask() -> None:
    painted = drawn(lambda: gr.Image(source="upload", tool="sketch", type="pil", label="x"))  # type: ignore[call-arg]
    assert isinstance(painted, gr.ImageEditor)
    picture, layer = Image.new("RGB", (4, 4), "red"), Image.new("RGBA", (4, 4))
    layer.putpixel((1, 2), (255, 255, 255, 255))
    value = drawn(lambda: painted.given(picture, [layer]))
    assert value["image"].getpixel((0, 0)) == (255, 0, 0)
    assert np.array(value["mask"])[:, :, 0].nonzero() == (np.array([2]), np.array([1]))
    assert painted.given(None, []) is None


def test_gradio_is_as_it_was_for_everybody_else() -> None:
    before = (gr.Button.__init__, gr.Button.click, gr.update, type(gr.Button).__call__)
    found: list[Any] = []

    def elsewhere() -> None:
        with gr.Blocks():
            found.append(gr.Textbox().value)
            found.append(gr.Textbox(visible=False).visible)
            with pytest.raises(TypeError):
                gr.Image(source="upload")  # type: ignore[call-arg]

    def draw() -> None:
        other = threading.Thread(target=lambda: asyncio.run(_run(elsewhere)))
        root, block = gr.context.Context.root_block, gr.context.Context.block
        gr.context.Context.root_block = gr.context.Context.block = None
        other.start()
        other.join()
        gr.context.Context.root_block, gr.context.Context.block = root, block

    drawn(draw)
    assert found == [None, False]
    assert before == (gr.Button.__init__, gr.Button.click, gr.update, type(gr.Button).__call__)
    assert not hasattr(gr, "Box")
    assert not hasattr(gr.Textbox, "style")


async def _run(function: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    function()


def test_who_watches_is_told_of_all_parts() -> None:
    class Watcher:
        told: list[tuple[str, Any]] = []  # noqa: RUF012

        def before(self, part: Block, arguments: dict[str, Any]) -> None:
            self.told.append(("before", arguments.get("elem_id")))

        def after(self, part: Block, arguments: dict[str, Any]) -> None:
            self.told.append((part.get_block_name(), part.elem_id))

    async def run() -> None:
        await asyncio.sleep(0)
        with gr.Blocks(), watching(Watcher()):
            gr.Textbox(elem_id="words")

    asyncio.run(run())
    assert Watcher.told == [("before", "words"), ("textbox", "words")]
