"""A picture's text in A1111's words, and buttons that send it to a tab."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from webui.compat.missing import unprovided
from webui.imaging.infotext import read_infotext

re_imagesize = re.compile(r"^(\d+)x(\d+)$")
type_of_gr_update = dict

paste_fields: dict[str, dict[str, Any]] = {}
"""By tab: its picture, and its components with their names in a text."""
registered_param_bindings: list[Any] = []
infotext_to_setting_name_mapping: list[tuple[str, str]] = []


class ParamBinding:
    """A button that fills a tab from a text, a picture or another tab."""

    def __init__(
        self,
        paste_button: Any,
        tabname: str,
        source_text_component: Any = None,
        source_image_component: Any = None,
        source_tabname: str | None = None,
        override_settings_component: Any = None,
        paste_field_names: Sequence[str] | None = None,
    ) -> None:
        self.paste_button = paste_button
        self.tabname = tabname
        self.source_text_component = source_text_component
        self.source_image_component = source_image_component
        self.source_tabname = source_tabname
        self.override_settings_component = override_settings_component
        self.paste_field_names = list(paste_field_names or [])


class PasteField(tuple):  # type: ignore[type-arg]
    """A component and its name in a text, or a function of all of a text's fields."""

    def __new__(cls, component: Any, target: Any, *, api: str | None = None) -> PasteField:
        """A pair, as older versions had them."""
        return super().__new__(cls, (component, target))

    def __init__(self, component: Any, target: Any, *, api: str | None = None) -> None:
        self.component = component
        self.label = target if isinstance(target, str) else None
        self.function = target if callable(target) else None
        self.api = api


def reset() -> None:
    """Forget all fields and buttons: the page is drawn anew."""
    paste_fields.clear()
    registered_param_bindings.clear()


def quote(text: Any) -> str:
    """A value as it stands in a text."""
    text = str(text)
    needs = any(sign in text for sign in ",\n:")
    return json.dumps(text, ensure_ascii=False) if needs else text


def unquote(text: str) -> str:
    """The value that stands in a text."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text


def image_from_url_text(filedata: Any) -> Any:
    """The picture that a component of the page holds: a path, a list of them, or data."""
    if isinstance(filedata, list | tuple):
        filedata = filedata[0] if filedata else None
    if isinstance(filedata, dict):
        filedata = filedata.get("name") or filedata.get("path") or filedata.get("image")
    if filedata is None or isinstance(filedata, Image.Image):
        return filedata
    if isinstance(filedata, tuple | list):
        return image_from_url_text(filedata)
    if os.path.isfile(str(filedata)):
        return Image.open(str(filedata))
    _, found, data = str(filedata).partition("base64,")
    return Image.open(io.BytesIO(base64.b64decode(data))) if found else None


def add_paste_fields(
    tabname: str, init_img: Any, fields: Any, override_settings_component: Any = None
) -> None:
    """Say which components of a tab a text fills."""
    paste_fields[tabname] = {
        "init_img": init_img,
        "fields": [PasteField(*field) if len(field) == 2 else field for field in fields or ()],
        "override_settings_component": override_settings_component,
    }


def create_buttons(tabs_list: Sequence[str]) -> dict[str, Any]:
    """Draw a button for each tab that something is sent to."""
    import gradio as gr

    return {tab: gr.Button(f"Send to {tab}", elem_id=f"{tab}_tab") for tab in tabs_list}


def bind_buttons(buttons: dict[str, Any], send_image: Any, send_generate_info: Any) -> None:
    """Let buttons send a picture and its text."""
    for tabname, button in buttons.items():
        is_tab = isinstance(send_generate_info, str)
        register_paste_params_button(
            ParamBinding(
                paste_button=button,
                tabname=tabname,
                source_text_component=None if is_tab else send_generate_info,
                source_image_component=send_image,
                source_tabname=send_generate_info if is_tab else None,
            )
        )


def register_paste_params_button(binding: ParamBinding) -> None:
    """Wire this button when the page is complete."""
    registered_param_bindings.append(binding)


def connect_paste_params_buttons() -> None:
    """Wire the buttons that were registered. The page calls it when all tabs are drawn."""
    from webui.compat.page.pasting import connect

    connect(registered_param_bindings, paste_fields)


def parse_generation_parameters(x: str, skip_fields: Sequence[str] | None = None) -> dict[str, Any]:
    """The fields of a text: "Prompt", "Negative prompt", those of its last line, and the size as
    "Size-1" and "Size-2"."""
    read = read_infotext(x or "")
    found: dict[str, Any] = {"Prompt": read.prompt, "Negative prompt": read.negative_prompt}
    for key, value in read.settings.items():
        sides = re_imagesize.match(value)
        if sides:
            found[f"{key}-1"], found[f"{key}-2"] = sides.groups()
        else:
            found[key] = value
    found.setdefault("Clip skip", "1")
    for key in skip_fields or ():
        found.pop(key, None)
    return found


def restore_old_hires_fix_params(res: dict[str, Any]) -> None:
    """Texts of very old versions; nothing is to be done for those of today."""


def create_override_settings_dict(text_pairs: Sequence[str]) -> dict[str, Any]:
    """Settings that count for one job, from lines "Name: value"."""
    pairs = (text.split(":", maxsplit=1) for text in text_pairs or () if ":" in text)
    named = {key.strip(): value.strip() for key, value in pairs}
    settings = dict(infotext_to_setting_name_mapping)
    return {settings[key]: value for key, value in named.items() if key in settings}


def get_override_settings(params: dict[str, Any], *, skip_fields: Any = None) -> list[Any]:
    """The settings in a text's fields, as (field, setting, value)."""
    return [
        (field, setting, params[field])
        for field, setting in infotext_to_setting_name_mapping
        if field in params and field not in (skip_fields or ())
    ]


def send_image_and_dimensions(x: Any) -> tuple[Any, int, int]:
    """A picture and its size."""
    image = x if isinstance(x, Image.Image) else image_from_url_text(x)
    return image, image.width, image.height


def connect_paste(
    button: Any,
    paste_fields: Any,
    input_comp: Any,
    override_settings_component: Any,
    tabname: str,
) -> None:
    """Let a button fill components from the text in another one."""
    from webui.compat.page.pasting import wire_text

    wire_text(button, paste_fields, input_comp)


Target = str | Callable[[dict[str, Any]], Any]
__getattr__ = unprovided(__name__)
