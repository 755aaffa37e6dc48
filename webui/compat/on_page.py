"""Stand-ins for the parts of A1111's page that scripts look for when they are drawn without one."""

from __future__ import annotations

from typing import Any, Final

_TEXTS: Final = ("prompt", "neg_prompt")
_NUMBERS: Final = (
    "width", "height", "steps", "cfg_scale", "batch_count", "batch_size", "denoising_strength",
)  # fmt: skip
_LISTS: Final = ("sampling", "scheduler")
_BUTTONS: Final = ("generate", "res_switch_btn", "random_seed", "reuse_seed")
_IMAGES: Final = ("img2img_image", "img2maskimg")


def tell_stand_ins(runner: Any, tab: str) -> None:
    """Tell scripts of parts that they may look for, as a page would. Within a gr.Blocks."""
    import gradio as gr

    kinds = ((gr.Textbox, _TEXTS), (gr.Slider, _NUMBERS), (gr.Dropdown, _LISTS))
    parts = [(kind, name) for kind, names in (*kinds, (gr.Button, _BUTTONS)) for name in names]
    ids = [(kind, f"{tab}_{name}") for kind, name in (*parts, (gr.Number, "seed"))]
    if tab == "img2img":
        ids += [(gr.Image, id) for id in _IMAGES]
    for kind, id in ids:
        part = kind(elem_id=id)
        runner.before_component(part, elem_id=id)
        runner.after_component(part, elem_id=id)
