"""Odds and ends of the page: signs on buttons, fields that a picture's text fills."""

from __future__ import annotations

import sys
from typing import Any

import gradio as gr

from modules.call_queue import wrap_gradio_call, wrap_gradio_gpu_call  # noqa: F401
from modules.infotext_utils import image_from_url_text
from modules.ui_common import (  # noqa: F401
    create_output_panel,
    create_refresh_button,
    folder_symbol,
    plaintext_to_html,
    refresh_symbol,
    save_files,
    setup_dialog,
    update_generation_info,
)
from modules.ui_components import (  # noqa: F401
    FormColumn,
    FormGroup,
    FormHTML,
    FormRow,
    InputAccordion,
    ToolButton,
)
from webui.compat.missing import unprovided

random_symbol = "\U0001f3b2\ufe0f"
reuse_symbol = "\u267b\ufe0f"
paste_symbol = "\u2199\ufe0f"
save_style_symbol = "\U0001f4be"
apply_style_symbol = "\U0001f4cb"
clear_prompt_symbol = "\U0001f5d1\ufe0f"
extra_networks_symbol = "\U0001f3b4"
switch_values_symbol = "\u21c5"
restore_progress_symbol = "\U0001f300"
detect_image_size_symbol = "\U0001f4d0"
interrupt_symbol = "\u23f9\ufe0f"

txt2img_paste_fields: list[Any] = []
img2img_paste_fields: list[Any] = []
"""Components of the picture tabs with their names in a picture's text; filled while the page is
drawn."""
ui_system_tabs: Any = None


def gr_show(visible: bool = True) -> dict[str, Any]:
    """Show or hide a part."""
    return {"visible": visible, "__type__": "update"}


def webpath(fn: str) -> str:
    """The address of a file of an extension."""
    return f"file={fn}"


def send_gradio_gallery_to_image(x: Any) -> Any:
    """The first picture of a gallery."""
    return image_from_url_text(x[0]) if x else None


def ordered_ui_categories() -> Any:
    """The groups of controls of a picture tab, in A1111's order."""
    yield from (
        "prompt", "image", "inpaint", "sampler", "accordions", "checkboxes", "dimensions", "cfg",
        "denoising", "seed", "batch", "override_settings", "scripts",
    )  # fmt: skip


def create_override_settings_dropdown(tabname: str, row: Any) -> Any:
    """A list of settings that count for one job, empty until a text fills it."""
    return gr.Dropdown(
        label="Override settings",
        value=[],
        choices=[],
        visible=False,
        elem_id=f"{tabname}_override_settings",
        multiselect=True,
    )


def create_sampler_and_steps_selection(choices: Any, tabname: str) -> tuple[Any, Any]:
    """Steps and sampler, as A1111's tabs have them."""
    names = [each if isinstance(each, str) else each.name for each in choices]
    with FormRow(elem_id=f"sampler_selection_{tabname}"):
        sampler = gr.Dropdown(
            label="Sampling method",
            elem_id=f"{tabname}_sampling",
            choices=names,
            value=names[0] if names else None,
        )
        steps = gr.Slider(
            minimum=1, maximum=150, step=1, label="Sampling steps", value=20,
            elem_id=f"{tabname}_steps",
        )  # fmt: skip
    return steps, sampler


def resize_from_to_html(width: int, height: int, scale_by: float) -> str:
    """Words for the size that a picture will have."""
    if not width or not height:
        return "no image selected"
    return (
        f"resize: from <span class='resolution'>{width}x{height}</span> to <span "
        f"class='resolution'>{int(width * scale_by)}x{int(height * scale_by)}</span>"
    )


def versions_html() -> str:
    """What runs here."""
    from webui import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return f"Gesso {__version__} • python: {python} • gradio: {gr.__version__}"


def apply_setting(key: str, value: Any) -> Any:
    """Set one option of `shared.opts` as its control would."""
    from modules import shared

    if value is None:
        return gr.update()
    shared.opts.set(key, value)
    return getattr(shared.opts, key)


def update_token_counter(text: str, steps: int, styles: Any = (), **more: Any) -> str:
    """How many tokens a text has; the page counts itself."""
    return ""


def create_ui() -> Any:
    """The page is drawn by the program."""
    raise RuntimeError("The page is not drawn by modules.ui. Use on_ui_tabs to add to it.")


__getattr__ = unprovided(__name__)
