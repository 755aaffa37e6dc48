"""What the parts of the page share while it is being built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.studio import Studio
from webui.ui.form import Form, Values
from webui.ui.guard import Guard

Choices = list[tuple[str, str]]
"""What a list shows, and the value behind it."""


class Scripts(Protocol):
    """The list of scripts of a tab, with their controls."""

    @property
    def inputs(self) -> set[Component]:
        """All controls."""
        ...

    def draft(self, values: Values) -> dict[str, Any]:
        """What stands in them, files left out."""
        ...

    def values(self, draft: Mapping[str, Any]) -> dict[Block, Any]:
        """The values that make them look as they did in a draft."""
        ...


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page under construction: the studio it shows and what all tabs have in common."""

    studio: Studio
    checkpoint: gr.Dropdown
    refresh: gr.Button
    """Looks again at what lies in the models folder."""
    guard: Guard
    """Draws what extensions add."""
    forms: dict[str, Form] = field(default_factory=dict)
    """By tab id; filled by the tabs that make pictures."""
    scripts: dict[str, Scripts] = field(default_factory=dict)
    """By tab id, for tabs that have some."""
    lists: dict[gr.Dropdown, Callable[[], Choices]] = field(default_factory=dict)
    """Controls that list files of the models folder, and what they list now."""
    tab: gr.Tab | None = None
    """The tab that is being built."""


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One tab. `build` is called inside it; tabs stand in the order of `order`."""

    id: str
    title: str
    order: int
    build: Callable[[Page], None]
