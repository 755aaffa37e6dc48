"""The line above everything: name, checkpoint, and the engine and queue in words."""

from __future__ import annotations

from html import escape

import gradio as gr

from webui.core.model import ModelInfo
from webui.studio import Studio
from webui.ui.guard import Guard
from webui.ui.live import live
from webui.ui.page import Page


def top_bar(studio: Studio) -> Page:
    """Draw the bar, and begin the page with what its tabs need of it."""
    with gr.Row(elem_id="topbar"):
        gr.HTML(
            '<h1 id="brand">Gesso</h1>', js_on_load=None, apply_default_css=False, elem_id="name"
        )
        with gr.Row(elem_id="quicksettings"):
            checkpoint = gr.Dropdown(
                model_choices(studio),
                value=studio.current_model().id,
                label="Checkpoint",
                elem_id="setting_sd_model_checkpoint",
            )
            refresh = gr.Button(
                "Refresh", size="sm", elem_id="refresh_sd_model_checkpoint", min_width=44
            )
        live("gesso-status", elem_id="status")
        live("gesso-person", elem_id="person")
    guard = Guard(studio.extensions)
    return Page(studio=studio, checkpoint=checkpoint, refresh=refresh, guard=guard)


def starter_notice(studio: Studio) -> gr.HTML:
    """Says that the starter model is in use and where real checkpoints go."""
    now = studio.settings.current
    is_shared = now.lan or now.sign_in  # where it lies is the owner's business then
    folder = escape(studio.catalog.folder.name if is_shared else str(studio.catalog.folder))
    return gr.HTML(
        f'<p title="Put real checkpoints into {folder} and press Refresh."><strong>Starter model'
        f"</strong>: simple objects, 256 px. Checkpoints go into <code>{folder}</code></p>",
        elem_id="starter_notice",
        js_on_load=None,
        apply_default_css=False,
        visible=studio.current_model().is_starter,
    )


def model_choices(studio: Studio) -> list[tuple[str, str]]:
    """The models as choices: what is shown, and the id."""
    return [(model_label(studio, model), model.id) for model in studio.catalog.models()]


def model_label(studio: Studio, model: ModelInfo) -> str:
    """The model's name, with its family and size."""
    family = studio.families[model.family].label
    return f"{model.name} · {family} · {size_words(model.size_bytes)}"


def size_words(size_bytes: int) -> str:
    """A file size as people say it."""
    if size_bytes >= 10**9:
        return f"{size_bytes / 10**9:.1f} GB"
    return f"{max(1, round(size_bytes / 10**6))} MB"
