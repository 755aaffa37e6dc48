"""The page's parts without a browser: forms, and what the browser is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from webui.studio import Studio
from webui.ui.build import build_page, load_tabs
from webui.ui.components.topbar import top_bar
from webui.ui.form import Form

T = TypeVar("T")


def within_loop(make: Callable[[], T]) -> T:
    """What `make` gives. Outside a running loop, Gradio makes one that it never closes."""

    async def run() -> T:
        return make()

    return asyncio.run(run())


def forms_of(studio: Studio) -> dict[str, Form]:
    """The forms of the real tabs."""

    def make() -> dict[str, Form]:
        with gr.Blocks():
            page = top_bar(studio)
            for tab in load_tabs():
                with gr.Tab(tab.title):
                    tab.build(page)
        return page.forms

    return within_loop(make)


def config_of(studio: Studio) -> dict[str, Any]:
    """What the browser is told about the page."""
    return dict(within_loop(lambda: build_page(studio)).get_config_file())
