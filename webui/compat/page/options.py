"""Options that old scripts added to the settings: their values kept, their controls drawn."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from webui.compat.gradio3.adapter import adapting
from webui.compat.page.old import module, side
from webui.compat.page.store import OldStore
from webui.core.files import write_atomic
from webui.core.person import Role
from webui.ui.caller import must_be, who_asks

log = logging.getLogger(__name__)

_SECRET: Final = re.compile(r"(?i)(api_?key|token|secret|passw)")
QUIET: Final[Mapping[str, Any]] = MappingProxyType(
    {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
)


class Options:
    """The options of all old extensions."""

    def __init__(self, store: OldStore, follow: Callable[[str], object]) -> None:
        """`follow` is called with an extension whose role was changed."""
        self._store: Final = store
        self._follow: Final = follow
        self._theirs: Mapping[str, Any] = MappingProxyType({})

    @property
    def values(self) -> dict[str, Any]:
        """What was set, here or in an install of A1111."""
        return {**self._theirs, **self._store.options}

    def collect(self, installed: Mapping[str, Any]) -> None:
        """Scripts were asked for their options: take what was set, in an install for those that
        were not set here, and keep what they will set."""
        names = {key for key, _ in self.added()}
        self._theirs = {key: value for key, value in installed.items() if key in names}
        opts = module("shared").opts
        opts.data.update(self.values)
        opts.reorder()
        opts.on_save = self._save
        _write_file(opts.data)

    def added(self) -> list[tuple[str, Any]]:
        """Names and descriptions of those that scripts added, section by section."""
        labels, own = module("shared").opts.data_labels, module("shared_options").own_options
        return [(key, info) for key, info in labels.items() if key not in own]

    def told(self, role: Role) -> dict[str, Any]:
        """All options as the page's scripts know them. Secrets are for the owner."""
        values: dict[str, Any] = json.loads(module("shared").opts.dumpjson())
        if role.covers(Role.OWNER):
            return values
        return {key: value for key, value in values.items() if not _SECRET.search(key)}

    def draw(self) -> None:
        """A group for each section, and a button that saves them all."""
        opts = module("shared").opts
        controls: dict[str, Component] = {}
        shown = [(key, info) for key, info in self.added() if info.section]
        gr.Markdown("## A1111 extensions")
        self._draw_roles()
        if not shown:
            return
        for section, infos in groupby(shown, key=lambda each: each[1].section):
            with gr.Accordion(
                str(section[1] or section[0]), open=False, elem_id=f"settings_{section[0]}"
            ):
                for key, info in infos:
                    control = option_component(key, opts, f"setting_{key}")
                    if control is not None and not info.do_not_save:
                        controls[key] = control
        self._draw_buttons(controls)

    def _draw_roles(self) -> None:
        """Who may use which extension."""
        quiet = dict(QUIET)
        with gr.Accordion("Who may use them", open=False, elem_id="settings_old_roles"):
            gr.Markdown(
                "Their tabs and addresses are the owner's until you lower the role. Controls in "
                "the tabs of pictures are for everybody who may make pictures."
            )
            for id in side().folders:
                role = gr.Radio(
                    [each.value for each in Role],
                    value=self._store.role(id).value,
                    label=id,
                    elem_id=f"old_role_{id}",
                )
                role.input(self._role_setter(id), [role], None, **quiet)

    def _role_setter(self, id: str) -> Callable[[str], None]:
        def set_role(role: str) -> None:
            must_be(Role.OWNER)
            self._store.set_role(id, Role(role))
            self._follow(id)

        return set_role

    def _draw_buttons(self, controls: Mapping[str, Component]) -> None:
        told = gr.HTML("", elem_id="settings_old_told")
        save = gr.Button("Save settings of A1111 extensions", elem_id="settings_old_submit")
        names = {control: key for key, control in controls.items()}
        save.click(self._saver(names), set(names), [told], **QUIET)
        root = Context.root_block
        if root is not None and controls:
            root.load(self._shower(names), None, [*names], **QUIET)

    def _saver(self, names: Mapping[Component, str]) -> Any:
        def save(values: Mapping[Component, Any]) -> str:
            must_be(Role.OWNER)
            opts, failed = module("shared").opts, []
            for control, key in names.items():
                if not _set(opts, key, values[control]):
                    failed.append(key)
            opts.save()
            if failed:
                return f"Not saved: {escape(', '.join(failed))}. The terminal says why."
            return "Saved. Some count once the page is loaded anew."

        return save

    def _shower(self, names: Mapping[Component, str]) -> Any:
        def show() -> Any:
            if not who_asks().role.covers(Role.OWNER):
                told = [gr.skip() for _ in names]
            else:
                opts = module("shared").opts
                told = [gr.update(value=getattr(opts, key)) for key in names.values()]
            return told if len(told) > 1 else told[0]

        return show

    def _save(self, values: Mapping[str, Any]) -> None:
        """Keep what differs from the defaults."""
        opts = module("shared").opts
        labels = opts.data_labels
        self._store.keep_options(
            {
                key: value
                for key, value in values.items()
                if key not in labels
                or (value != labels[key].default and not labels[key].do_not_save)
            }
        )
        side().told["options"] = dict(self._store.options)
        _write_file(values)


def _write_file(values: Mapping[str, Any]) -> None:
    """Some scripts read the file in which A1111 keeps its options."""
    file = Path(module("shared_cmd_options").cmd_opts.ui_settings_file)
    write_atomic(file, json.dumps(dict(values), indent=1, default=str).encode())


def option_component(key: str, opts: Any, elem_id: str) -> Any:
    """Draw the control of an option. Everybody is sent the page, so texts are filled in for the
    owner when it is opened."""
    info = opts.data_labels[key]
    given = info.component_args() if callable(info.component_args) else info.component_args
    args = dict(given or {})
    kind = info.component or _component_for(info.default)
    value = opts.get_default(key) if isinstance(info.default, str) else getattr(opts, key)
    with adapting():
        if kind is None or (info.do_not_save and not info.label):
            return gr.HTML(str(info.default or ""), elem_id=elem_id)
        with gr.Row():
            control = kind(label=info.label, value=value, elem_id=elem_id, **args)
            if info.refresh is not None:
                module("ui_common").create_refresh_button(
                    control, info.refresh, info.component_args, f"refresh_{key}"
                )
        if words := f"{info.comment_before} {info.comment_after}".strip():
            gr.HTML(f"<div class='gesso-old-comment'>{words}</div>")
    return control


def _component_for(default: Any) -> Any:
    if isinstance(default, bool):
        return gr.Checkbox
    if isinstance(default, int | float):
        return gr.Number
    return gr.Textbox


def _set(opts: Any, key: str, value: Any) -> bool:
    default = opts.get_default(key)
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, float):
        value = int(value) if value.is_integer() else value
    try:
        opts.set(key, value)
    except Exception:
        log.exception("The option %s could not be set.", key)
        return False
    return True
