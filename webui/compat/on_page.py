"""Stand-ins for the parts of A1111's page that scripts look for when they are drawn without one."""

from __future__ import annotations

import importlib
from typing import Any, Final

_TEXTS: Final = ("prompt", "neg_prompt")
_NUMBERS: Final = (
    "width", "height", "steps", "cfg_scale", "batch_count", "batch_size", "denoising_strength",
    "subseed_strength", "hr_scale", "hires_steps", "hr_resize_x", "hr_resize_y", "mask_blur",
    "inpaint_full_res_padding", "scale",
)  # fmt: skip
_LISTS: Final = ("sampling", "scheduler", "styles", "hr_upscaler", "override_settings")
_BUTTONS: Final = (
    "generate", "interrupt", "skip", "res_switch_btn", "random_seed", "reuse_seed", "style_apply",
    "clear_prompt", "paste", "token_button", "detect_image_size_btn",
)  # fmt: skip
_IMAGES: Final = (
    "img2img_image", "img2img_sketch", "img2maskimg", "inpaint_sketch", "img_inpaint_base",
    "img_inpaint_mask",
)  # fmt: skip


def tell_stand_ins(runner: Any, tab: str) -> None:
    """Tell scripts of parts that they may look for, as a page would. Within a gr.Blocks."""
    import gradio as gr

    callbacks = importlib.import_module("modules.script_callbacks")
    kinds = (
        (gr.Row, ("prompt_row",)),
        (gr.Textbox, _TEXTS),
        (gr.Slider, _NUMBERS),
        (gr.Dropdown, _LISTS),
    )
    parts = [(kind, name) for kind, names in (*kinds, (gr.Button, _BUTTONS)) for name in names]
    ids = [
        (kind, f"{tab}_{name}")
        for kind, name in (*parts, (gr.Number, "seed"), (gr.Gallery, "gallery"))
    ]
    if tab == "img2img":
        ids += [(gr.Image, id) for id in _IMAGES]
    for kind, id in ids:
        part = kind(elem_id=id)
        for told in (runner.before_component, callbacks.before_component_callback):
            told(part, elem_id=id)
        for told in (runner.after_component, callbacks.after_component_callback):
            told(part, elem_id=id)
