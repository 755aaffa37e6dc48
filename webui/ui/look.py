"""Colours, type and what the page's head holds. The rest of the look is assets/gesso.css."""

from __future__ import annotations

from html import escape

import gradio as gr
from gradio.themes.utils import colors, sizes

from webui import __version__
from webui.settings import Settings

SYSTEM_FONT = ("system-ui", "sans-serif")
MONO_FONT = ("ui-monospace", "monospace")


def theme() -> gr.themes.Base:
    """A quiet theme: no block borders, system fonts, one accent. Same tokens in light and dark."""
    return gr.themes.Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.zinc,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_sm,
        text_size=sizes.text_md,
        font=SYSTEM_FONT,
        font_mono=MONO_FONT,
    ).set(
        body_background_fill="#f5f5f6",
        body_background_fill_dark="#121214",
        body_text_color="#1c1c20",
        body_text_color_dark="#ececf0",
        body_text_color_subdued="#5b5d66",
        body_text_color_subdued_dark="#a3a5af",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_weight="500",
        block_title_text_weight="500",
        block_title_text_color="#3f4048",
        block_title_text_color_dark="#c9cad2",
        block_title_text_size="13px",
        block_padding="4px 0",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1d1e22",
        input_border_color="#8b8d98",
        input_border_color_dark="#6b6d78",
        input_border_color_focus="#4f46e5",
        input_border_color_focus_dark="#8b86ff",
        input_border_width="1px",
        input_placeholder_color="#6a6c76",
        input_placeholder_color_dark="#9597a2",
        button_primary_background_fill="#4f46e5",
        button_primary_background_fill_dark="#5b54e8",
        button_primary_background_fill_hover="#4338ca",
        button_primary_background_fill_hover_dark="#4c45d6",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#e6e6ea",
        button_secondary_background_fill_dark="#2a2b31",
        button_secondary_background_fill_hover="#dadae0",
        button_secondary_background_fill_hover_dark="#36373f",
        slider_color="#4f46e5",
        slider_color_dark="#8b86ff",
    )


def head(settings: Settings) -> str:
    """Our style sheet and client, both from this server; and the colours that were asked for.

    Gradio's own script puts this into the page, so an inline script in it would not run.
    """
    return (
        f'<meta name="gesso-theme" content="{escape(settings.theme)}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="stylesheet" href="/assets/gesso.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/queue.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/plans.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/cards.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/albums.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/models.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/downloads.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/png_info.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/team.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/extensions.css?v={__version__}">\n'
        f'<link rel="stylesheet" href="/assets/extras.css?v={__version__}">\n'
        f'<script type="module" src="/assets/main.js?v={__version__}"></script>\n'
    )
