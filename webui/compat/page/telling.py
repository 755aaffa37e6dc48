"""Tells old scripts of the parts of the page, ours included, as A1111 tells them of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from gradio.blocks import Block
from gradio.context import Context

from webui.compat.page.old import extension_of, module
from webui.compat.page.runners import Runners

Within = Callable[[str], AbstractContextManager[None]]
"""How code of an extension (its id) is run while the page is drawn."""

_OWN: Final = "gesso"
_AROUND_PROMPTS: Final = "_prompt_container"
INPAINT: Final = "inpaint"


class Teller:
    """Is told by Gradio of each part that is made, and tells the scripts."""

    def __init__(self, runners: Runners, within: Within) -> None:
        """`runners` are the scripts of each picture tab."""
        self._runners: Final = runners
        self._within: Final = within

    def before(self, part: Block, arguments: Mapping[str, Any]) -> None:
        """A part is about to be made with these arguments."""
        self._call("before_component", part, arguments)
        mode = _mode()
        if (runner := self._runners.get(mode)) is not None:
            with self._within(""):
                runner.before_component(part, **_in_words_of(mode, arguments))

    def after(self, part: Block, arguments: Mapping[str, Any]) -> None:
        """It is made."""
        name = f"gradio-{part.get_block_name()}"
        if name not in part.elem_classes:
            part.elem_classes = [*part.elem_classes, name]
        self._call("after_component", part, arguments)
        mode = _mode()
        if (runner := self._runners.get(mode)) is not None:
            with self._within(""):
                for told in _names_of(_in_words_of(mode, arguments)):
                    runner.after_component(part, **told)

    def _call(self, category: str, part: Block, arguments: Mapping[str, Any]) -> None:
        guarded = module("gesso_calls").guarded
        for each in module("script_callbacks").ordered_callbacks(category):
            extension = extension_of(each)
            with self._within(extension):
                guarded(
                    extension,
                    f"on_{category}",
                    each.script,
                    lambda each=each: each.callback(part, **arguments),
                )


def _mode() -> str:
    """The picture tab that is being drawn; "" when it is another one, or none."""
    place, seen = Context.block, set[int]()
    while place is not None and id(place) not in seen:  # a script may have made a circle
        seen.add(id(place))
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


def _names_of(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a part is told as: what is around our prompts is A1111's row of prompts too."""
    elem_id = arguments.get("elem_id")
    if not isinstance(elem_id, str) or not elem_id.endswith(_AROUND_PROMPTS):
        return [arguments]
    row = elem_id.removesuffix(_AROUND_PROMPTS) + "_prompt_row"
    return [arguments, {**arguments, "elem_id": row}]
