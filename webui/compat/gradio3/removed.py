"""Names that Gradio had in versions 3 and 4 and has no more: what they stand for now."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

import gradio as gr
import gradio.blocks
import gradio.components
import gradio.events
import gradio.layouts
import gradio.routes
from gradio.blocks import Block, Blocks

_LAYOUTS: Final = ("Row", "Column", "Group", "Accordion", "Tab", "Tabs", "TabItem", "Form")
_EVENTS: Final = (
    "Blurrable", "Changeable", "Clearable", "Clickable", "Downloadable", "Editable", "Inputable",
    "Likeable", "Playable", "Recordable", "Releaseable", "Selectable", "Streamable", "Submittable",
    "Uploadable",
)  # fmt: skip


def removed_names() -> Iterator[tuple[Any, str, Any]]:
    """Where each was found, its name, and what it is now. Those that are still there are left."""
    for module in (gr, gradio.layouts, gradio.components, gradio.blocks):
        yield module, "Box", gr.Group
    for name in _LAYOUTS:
        for module in (gr, gradio.components, gradio.layouts):
            yield module, name, getattr(gradio.layouts, name, None) or getattr(gr, name, None)
    yield gr, "Variable", gr.State
    yield gradio.components, "Variable", gr.State
    for name in ("inputs", "outputs"):
        yield gr, name, gradio.components
    for module in (gr, gradio.components):
        yield module, "IOComponent", gradio.components.Component
        yield module, "FormComponent", gradio.components.FormComponent
        yield module, "Carousel", gr.Group
        yield module, "Text", gr.Textbox
        yield module, "StatusTracker", gr.Label
    for name in _EVENTS:
        yield gradio.events, name, object
    yield gr, "deprecation", SimpleNamespace(GradioDeprecationWarning=DeprecationWarning)
    yield gradio.routes, "Request", gr.Request
    yield Block, "update", staticmethod(_update)
    yield Block, "style", _style
    yield Blocks, "dependencies", property(_dependencies)


def _dependencies(self: Blocks) -> list[dict[str, Any]]:
    """A page's events, each as a mapping with the parts that cause it."""
    return [
        {
            **event.get_config(),
            "trigger": event.targets[0][1] if event.targets else None,
            "targets": [id for id, _ in event.targets],
        }
        for event in self.fns.values()
    ]


def _update(*values: Any, **more: Any) -> Any:
    """`gr.Textbox.update(...)`, and that of every other component."""
    return gr.update(*values, **more)


def _style(self: Block, **look: Any) -> Block:
    """What a component looked like was told after it was made; the size still counts."""
    for name in ("height", "columns", "rows", "container", "equal_height"):
        value = look.get("grid" if name == "columns" and "grid" in look else name)
        if value is not None and hasattr(self, name):
            setattr(self, name, value)
    return self
