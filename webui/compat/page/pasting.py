"""Texts of pictures into controls: which component holds what, buttons that fill them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.compat.page.old import module
from webui.compat.page.telling import INPAINT
from webui.core.request import Mode
from webui.ui.form import Form

_FIELDS: Final = (
    ("prompt", "Prompt"),
    ("negative_prompt", "Negative prompt"),
    ("sampling.guidance_scale", "CFG scale"),
    ("width", "Size-1"),
    ("height", "Size-2"),
    ("batch_size", "Batch size"),
    ("source.denoising_strength", "Denoising strength"),
    ("sampling.steps", "Steps"),
    ("sampling.sampler", "Sampler"),
    ("sampling.schedule", "Schedule type"),
    ("seed", "Seed"),
    ("noise.variation_seed", "Variation seed"),
    ("noise.variation_strength", "Variation seed strength"),
    ("hires.scale", "Hires upscale"),
    ("hires.steps", "Hires steps"),
    ("hires.denoising_strength", "Denoising strength"),
)
"""Our fields and A1111's names of them in a text, the first two first: scripts go by place."""
SOURCE: Final = "source.image"


def fill_fields(mode: str, form: Form) -> None:
    """Tell scripts which components of a tab a text fills."""
    utils, ui = module("infotext_utils"), module("ui")
    fields = [
        utils.PasteField(control, name)
        for path, name in _FIELDS
        if (control := form.component(path)) is not None
    ]
    utils.add_paste_fields(mode, form.component(SOURCE), fields)
    if mode != INPAINT:
        own = ui.txt2img_paste_fields if mode == Mode.TXT2IMG else ui.img2img_paste_fields
        own[:] = utils.paste_fields[mode]["fields"]


def add_fields_of(mode: str, runner: Any) -> None:
    """Those of the scripts, once they are drawn."""
    utils = module("infotext_utils")
    own = [utils.PasteField(*field) for field in runner.infotext_fields]
    utils.paste_fields[mode]["fields"] += own


def after_callbacks(text: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields after on_infotext_pasted of all scripts."""
    told = dict(fields)
    module("script_callbacks").infotext_pasted_callback(text, told)
    return told


def connect(bindings: Sequence[Any], fields: Mapping[str, Mapping[str, Any]]) -> None:
    """Wire the buttons that scripts registered. The picture goes the way of the page's own
    buttons; the text fills the tab's components."""
    for binding in bindings:
        target = fields.get(binding.tabname)
        image = binding.source_image_component
        if image is not None and target is not None and target["init_img"] is not None:
            _wire(binding.paste_button, _first_picture, [image], [target["init_img"]])
        text = binding.source_text_component
        if target is not None and isinstance(text, Component):  # one real script gives [""]
            wire_text(binding.paste_button, target["fields"], text)
        source = fields.get(binding.source_tabname or "")
        if source is not None and target is not None:
            _copy(binding, source["fields"], target["fields"])
        binding.paste_button.click(
            None, None, None, js=_shown(binding.tabname), queue=False, show_progress="hidden"
        )


def wire_text(button: Any, fields: Sequence[Any], text: Any) -> None:
    """Let a button fill components from a text."""
    outputs = [field[0] for field in fields]

    def fill(told: str | None) -> list[Any]:
        parsed: dict[str, Any] = module("infotext_utils").parse_generation_parameters(told or "")
        parsed = after_callbacks(told or "", parsed)
        return [value_for(field[0], field[1], parsed) for field in fields]

    if outputs:
        _wire(button, fill, [text], outputs)


def value_for(control: Component, name: Any, parsed: dict[str, Any]) -> Any:
    """What a component takes from a text's fields; nothing if they don't say."""
    value = name(parsed) if callable(name) else parsed.get(name)
    if value is None:
        return gr.skip()
    if isinstance(value, dict):
        return value
    if isinstance(control, gr.Checkbox):
        return value if isinstance(value, bool) else str(value).lower() in ("true", "1")
    if isinstance(control, gr.Slider | gr.Number):
        return _number(value)
    if isinstance(control, gr.Dropdown | gr.Radio):
        return _choice(control, value)
    return value


def _number(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return gr.skip()
    return int(number) if number.is_integer() else number


def _choice(control: Any, value: Any) -> Any:
    for label, own in control.choices:
        if value in (label, own) or str(value) in (str(label), str(own)):
            return own
    return value if control.allow_custom_value is True else gr.skip()


def _copy(binding: Any, source: Sequence[Any], target: Sequence[Any]) -> None:
    """From one tab's components to another's, by their names."""
    wanted = [*binding.paste_field_names, "Prompt", "Negative prompt", "Steps", "CFG scale", "Seed"]
    by_name = {field[1]: field[0] for field in source if isinstance(field[1], str)}
    pairs = [
        (by_name[field[1]], field[0])
        for field in target
        if isinstance(field[1], str) and field[1] in by_name and field[1] in wanted
    ]
    if pairs:
        inputs, outputs = (list(side) for side in zip(*pairs, strict=True))
        _wire(binding.paste_button, _all, inputs, outputs)


def _all(*values: Any) -> Any:
    return values if len(values) > 1 else values[0]


def _first_picture(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else None
    return value[0] if isinstance(value, tuple) else value


def _wire(button: Any, fn: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
    button.click(fn, inputs, outputs, queue=False, show_progress="hidden", api_visibility="private")


def _shown(tab: str) -> str:
    return f"() => window.gessoOld?.show({json.dumps(tab)})"
