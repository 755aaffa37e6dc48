"""Places in the page that our JavaScript client fills: custom elements, no content of their own."""

from __future__ import annotations

from html import escape

import gradio as gr


def live(tag: str, elem_id: str | None = None, **attributes: str) -> gr.HTML:
    """A place for the custom element `tag` (see assets/). Nothing of a person's goes in here."""
    words = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return gr.HTML(
        f"<{tag}{words}></{tag}>",
        elem_id=elem_id,
        elem_classes="gesso-live",
        js_on_load=None,
        apply_default_css=False,
    )
