"""Controls for options."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules import shared
from webui.compat.missing import unprovided


def get_value_for_setting(key: str) -> Any:
    """An update that shows what an option is set to."""
    info = shared.opts.data_labels[key]
    args = info.component_args() if callable(info.component_args) else info.component_args or {}
    kept = {name: value for name, value in args.items() if name != "precision"}
    return gr.update(value=getattr(shared.opts, key), **kept)


def create_setting_component(key: str, is_quicksettings: bool = False) -> Any:
    """Draw the control of an option."""
    from webui.compat.page.options import option_component

    return option_component(key, shared.opts, f"setting_{key}")


class UiSettings:
    """Options on the page; the program draws them."""

    def __init__(self) -> None:
        self.components: list[Any] = []
        self.component_dict: dict[str, Any] = {}


__getattr__ = unprovided(__name__)
