"""Settings, built from the fields of the Settings dataclass: a new field needs no line here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any, Final, get_type_hints

import gradio as gr
from gradio.components import Component

from webui.core.errors import InvalidRequest, NotPermitted
from webui.core.person import Role
from webui.settings import Settings, SettingsStore, is_startup
from webui.ui.caller import must_be, who_asks
from webui.ui.components.extensions import A1111
from webui.ui.controls import Number
from webui.ui.fields import range_in
from webui.ui.live import live
from webui.ui.page import Page, Tab

ELSEWHERE: Final = ("checkpoint",)
"""Settings that the page shows in another place."""

Setting = dataclasses.Field[Any]


def build(page: Page) -> None:
    """The settings by group, and one button that saves them all."""
    store = page.studio.settings
    controls: dict[str, Component] = {}
    with gr.Column(elem_id="settings", elem_classes="gesso-settings"):
        for group, settings in groupby(page_settings(), lambda s: s.metadata["group"]):
            gr.Markdown(f"## {group}")
            for setting in settings:
                controls[setting.name] = _control(setting, store)
        live("gesso-fault", mode="settings")
        save = gr.Button("Save settings", variant="primary", elem_id="settings_submit")
        answer = gr.Textbox(visible="hidden", elem_id="settings_answer", label="Answer")
        facts = _startup()
        if (legacy := page.studio.extensions.legacy) is not None:
            page.guard.draw(A1111, "on_ui_settings", legacy.draw_settings, Role.OWNER)
    _wire(page, store, controls, Buttons(save=save, answer=answer, facts=facts))


@dataclass(frozen=True, kw_only=True)
class Buttons:
    """What stands below the settings."""

    save: gr.Button
    answer: gr.Textbox
    facts: gr.HTML


def page_settings() -> list[Setting]:
    """The settings that can be changed here, group by group."""
    fields = dataclasses.fields(Settings)
    return [s for s in fields if not is_startup(s) and s.name not in ELSEWHERE]


def element_id(name: str) -> str:
    """The element id of a setting's control."""
    return f"setting_{name}"


def save_settings(store: SettingsStore, changes: Mapping[str, object]) -> str:
    """Save what changed; the answer for the client as JSON. Only the owner may."""
    try:
        must_be(Role.OWNER)
    except NotPermitted as error:
        return json.dumps({"fault": str(error), "control": None})
    now = store.current
    changed = {
        name: value
        for name, value in changes.items()
        if name not in store.fixed and value != getattr(now, name)
    }
    if not changed:
        return json.dumps({"told": "Nothing was changed."})
    try:
        store.update(changed)
    except InvalidRequest as error:
        return json.dumps({"fault": error.message, "control": element_id(error.field)})
    except OSError as error:
        return json.dumps({"fault": f"The settings could not be written: {error.strerror}."})
    return json.dumps({"told": "Settings saved."})


def _wire(
    page: Page,
    store: SettingsStore,
    controls: Mapping[str, Component],
    buttons: Buttons,
) -> None:
    names = {control: name for name, control in controls.items()}
    answer = buttons.answer
    seen = gr.Textbox(
        json.dumps({name: _at_first(store, name) for name in controls}),
        visible="hidden",
        elem_id="gesso_seen_settings",
        label="Settings",
    )
    quiet = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def saved(values: Mapping[Component, Any]) -> dict[Component, Any]:
        before, now = json.loads(values[seen]), {names[part]: values[part] for part in names}
        changed = {name: value for name, value in now.items() if value != before[name]}
        told = save_settings(store, changed)
        # What was refused is still to be saved.
        return {answer: told, seen: json.dumps(before if "fault" in json.loads(told) else now)}

    def opened(values: Mapping[Component, Any]) -> dict[Component, Any]:
        if not who_asks().role.covers(Role.OWNER):
            return {seen: values[seen]}
        before, now = json.loads(values[seen]), _shown(store, controls)
        changed = {
            part: now[name]
            for part, name in names.items()
            if now[name] != before[name] and values[part] == before[name]
        }
        return {seen: json.dumps(now), buttons.facts: _facts(store), **changed}

    buttons.save.click(saved, {seen, *names}, [answer, seen], **quiet).then(
        None,
        [answer],
        None,
        js="(answer) => gesso.answer('settings', answer)",
        queue=False,
        api_visibility="private",
    )
    if page.tab is not None:
        page.tab.select(opened, {seen, *names}, [seen, buttons.facts, *names], **quiet)


def _shown(store: SettingsStore, names: Iterable[str]) -> dict[str, object]:
    """What is in force, as the page shows it. Kept beside the controls, so that a visit changes
    only what was changed elsewhere and leaves alone what somebody is typing."""
    return {name: getattr(store.current, name) for name in names}


def _at_first(store: SettingsStore, name: str) -> object:
    """What a control shows before the owner opens the tab. Everybody is sent the page, and what
    somebody wrote (folders, for one) is for the owner to see."""
    value = getattr(store.current, name)
    return getattr(Settings(), name) if isinstance(value, str) else value


def _control(setting: Setting, store: SettingsStore) -> Component:
    """The control that suits the setting's type, closed when a flag or the environment rules."""
    info, fixed = setting.metadata, setting.name in store.fixed
    common: dict[str, Any] = {
        "value": _at_first(store, setting.name),
        "label": info["label"] or setting.name.replace("_", " ").capitalize(),
        "info": info["help"] + (" Set when the server was started; change it there." * fixed),
        "interactive": not fixed,
        "elem_id": element_id(setting.name),
    }
    hint = get_type_hints(Settings, include_extras=True)[setting.name]
    if info["choices"]:
        return gr.Radio(list(info["choices"]), elem_classes="gesso-choices", **common)
    if hint is bool:
        return gr.Checkbox(**common)
    if (span := range_in(hint)) is not None:
        return Number(
            minimum=span.minimum,
            maximum=span.maximum,
            step=span.step,
            precision=0 if span.step == 1 else None,
            **common,
        )
    return gr.Textbox(lines=1, **common)


def _startup() -> gr.HTML:
    """The place for what was chosen when the server was started."""
    with gr.Accordion("Set when the server is started", open=False, elem_id="settings_startup"):
        return gr.HTML("", js_on_load=None, apply_default_css=False)


def _facts(store: SettingsStore) -> str:
    """What was chosen when the server was started, to look at only."""
    rows = "".join(
        f"<dt>{escape(s.name.replace('_', ' ').capitalize())}</dt>"
        f"<dd>{escape(str(_in_force(store.current, s.name)))}</dd>"
        for s in dataclasses.fields(Settings)
        if is_startup(s)
    )
    return f'<dl class="gesso-facts">{rows}</dl>'


def _in_force(settings: Settings, name: str) -> object:
    """A setting's value; for a folder that was left blank, the folder it stands for."""
    folders = {"data_dir": settings.root, "models_dir": settings.models}
    folders["outputs_dir"] = settings.outputs
    return folders.get(name, getattr(settings, name))


TAB: Final = Tab(id="settings", title="Settings", order=90, build=build)
