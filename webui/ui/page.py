"""What the parts of the page share while it is being built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import gradio as gr

from webui.studio import Studio
from webui.ui.form import Form
from webui.ui.guard import Guard

Choices = list[tuple[str, str]]
"""What a list shows, and the value behind it."""


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
