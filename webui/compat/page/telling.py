"""Tells old scripts of the parts of the page, ours included, as A1111 tells them of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from gradio.blocks import Block
from gradio.context import Context

from webui.compat.page.old import module

Within = Callable[[str], AbstractContextManager[None]]
"""How code of an extension (its id) is run while the page is drawn."""

_OWN: Final = "gesso"
INPAINT: Final = "inpaint"


class Teller:
    """Is told by Gradio of each part that is made, and tells the scripts."""

    def __init__(self, runners: Mapping[str, Any], within: Within) -> None:
        """`runners` are the scripts of each picture tab, by its mode."""
        self._runners: Final = runners
        self._within: Final = within

    def before(self, part: Block, arguments: Mapping[str, Any]) -> None:
        """A part is about to be made with these arguments."""
        self._call("before_component", part, arguments)
        if (mode := _mode()) in self._runners:
            with self._within(""):
                told = _in_words_of(mode, arguments)
                self._runners[mode].before_component(part, **told)

    def after(self, part: Block, arguments: Mapping[str, Any]) -> None:
        """It is made."""
        name = f"gradio-{part.get_block_name()}"
        if name not in part.elem_classes:
            part.elem_classes = [*part.elem_classes, name]
        self._call("after_component", part, arguments)
        if (mode := _mode()) in self._runners:
            with self._within(""):
                told = _in_words_of(mode, arguments)
                self._runners[mode].after_component(part, **told)

    def _call(self, category: str, part: Block, arguments: Mapping[str, Any]) -> None:
        guarded = module("gesso_calls").guarded
        for each in module("script_callbacks").ordered_callbacks(category):
            with self._within(each.extension):
                guarded(
                    each.extension,
                    f"on_{category}",
                    each.script,
                    lambda each=each: each.callback(part, **arguments),
                )


def _mode() -> str:
    """The picture tab that is being drawn; "" when it is another one, or none."""
    place = Context.block
    while place is not None:
        if (elem_id := getattr(place, "elem_id", None)) and elem_id.startswith("tab_"):
            return str(elem_id).removeprefix("tab_")
        place = place.parent
    return ""


def _in_words_of(mode: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What scripts are told: A1111 has inpainting inside its tab img2img."""
    elem_id = arguments.get("elem_id")
    if mode != INPAINT or not isinstance(elem_id, str):
        return dict(arguments)
    return {**arguments, "elem_id": elem_id.replace(f"{INPAINT}_", "img2img_", 1)}
