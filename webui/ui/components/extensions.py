"""The controls of extensions in the tabs that make pictures: a closed group for each, drawn from
what it declares or by itself, and the list of those that take a job over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError
from webui.core.person import Role
from webui.core.request import Mode
from webui.extend.extension import Extension
from webui.extend.inputs import Choice, Input, Slider, Text, Toggle
from webui.ui.components.group import At, group, plain
from webui.ui.extension_page import ExtensionPage
from webui.ui.form import Form
from webui.ui.input_control import control_of
from webui.ui.page import Page

NONE: Final = ""
A1111: Final = "A1111 extensions"
ENABLED: Final = "enabled"
MOST_NAMED: Final = 3
"""So many values are named in a title."""
QUIET: Final[tuple[tuple[str, Any], ...]] = (
    ("queue", False), ("show_progress", "hidden"), ("api_visibility", "private"),
)  # fmt: skip


def extension_controls(page: Page, form: Form) -> None:
    """All of them, for the tab of this form."""
    mode = Mode(form.mode)
    found = [(each, inputs_in(each, mode)) for each in page.studio.extensions.all() if each.is_on]
    scripts = [each for each, _ in found if each.has_hook("job_run")]
    chosen = [(one, inputs) for one, inputs in found if one in scripts and not _has_switch(inputs)]
    for extension, inputs in found:
        if inputs and (extension, inputs) not in chosen:
            _group(page, form, extension, inputs)
    script = _script_list(page, form, mode, scripts)
    for extension, inputs in chosen if script is not None else ():
        if inputs:
            with _while_chosen(script, extension.id, mode):
                _group(page, form, extension, inputs)
    if (legacy := page.studio.extensions.legacy) is not None:
        before = form.paths
        if not page.guard.draw(A1111, "ui", lambda: legacy.draw(mode, form), Role.ARTIST):
            form.forget_all_but(before)


def inputs_in(extension: Extension, mode: Mode) -> list[Input]:
    """What it lets people set in a tab. One that works in Extras only need not say so."""
    inputs = [each for each in extension.inputs if mode in each.tabs]
    is_named = any(Mode.EXTRAS in each.tabs for each in extension.inputs)
    if mode is Mode.EXTRAS and not is_named and extension.has_hook("extras_op"):
        return list(extension.inputs)
    return inputs


def path_of(extension: str, input: str) -> str:
    """The field of a request that holds an input."""
    return f"extensions.{extension}.{input}"


def _has_switch(inputs: Sequence[Input]) -> bool:
    return any(each.id == ENABLED for each in inputs)


def _script_list(
    page: Page, form: Form, mode: Mode, scripts: Sequence[Extension]
) -> gr.Dropdown | None:
    """Those that take a job over, A1111's selectable scripts among them; nothing if there are
    none."""
    legacy = page.studio.extensions.legacy
    parts = legacy.parts() if legacy is not None and mode is not Mode.EXTRAS else ()
    named = [(part.title, part.id) for part in parts if not part.is_always and mode in part.modes]
    named += [(each.name, each.id) for each in scripts if mode is not Mode.EXTRAS]
    if not named:
        return None
    control = gr.Dropdown(
        [("None", NONE), *named],
        value=NONE,
        label="Extension script",
        elem_id=f"{mode}_script_of",
        elem_classes="gesso-line",
    )
    form.bind("script", control, read=lambda value: value or None, blank=NONE)
    return control


@contextmanager
def _while_chosen(script: gr.Dropdown, id: str, mode: Mode) -> Iterator[None]:
    with gr.Column(visible=False, elem_id=f"{mode}_script_of_{id}") as place:
        yield
    script.change(lambda chosen: gr.Column(visible=chosen == id), [script], [place], **dict(QUIET))


def _group(page: Page, form: Form, extension: Extension, inputs: Sequence[Input]) -> None:
    """One group, or nothing if the extension draws it itself and fails."""
    before = form.paths

    def draw() -> None:
        own = {path_of(extension.id, each.id): each for each in inputs}
        elem_id = f"{form.mode}_ext_{extension.id}"
        with group(form, extension.name, elem_id, lambda at: _words(own, at)):
            drawn = _own_drawing(page, form, extension)
            for each in inputs:
                control = drawn.get(each.id) or _control(form, extension.id, each)
                _bind(form, path_of(extension.id, each.id), each, control)
            _follow_toggles(form, extension.id, inputs)

    if not page.guard.draw(extension.id, "ui_accordion", draw, Role.ARTIST):
        form.forget_all_but(before)


def _own_drawing(page: Page, form: Form, extension: Extension) -> Mapping[str, Component]:
    """What an extension drew itself, by input. Raises whatever its builder does."""
    if not extension.has_hook("ui_accordion"):
        return {}
    drawn = page.studio.extensions.call(
        extension.id,
        "ui_accordion",
        page=ExtensionPage(page, extension.id),
        mode=form.mode,
    )
    known = {each.id for each in extension.inputs}
    for id, control in (drawn or {}).items():
        if id not in known or not isinstance(control, Component):
            raise GessoError(
                f"ui_accordion of “{extension.id}” gives back “{id}”: {type(control).__name__}. "
                "Give a Gradio component for each of your inputs that you draw yourself."
            )
    return drawn or {}


def _control(form: Form, extension: str, each: Input) -> Component:
    return control_of(each, extension, f"{form.mode}_ext_{extension}_{each.id}")


def _bind(form: Form, path: str, each: Input, control: Component) -> None:
    """What stands at its default is left out of requests."""

    def read(value: Any) -> Any:
        value = "" if value is None and isinstance(each, Text) else value
        return None if value == each.default else value

    form.bind(path, control, read=read, blank=each.default)


def _follow_toggles(form: Form, extension: str, inputs: Sequence[Input]) -> None:
    """Controls with `show_if` are seen while their toggle is on."""
    by_id = {each.id: each for each in inputs}
    for name in dict.fromkeys(each.show_if for each in inputs if each.show_if in by_id):
        toggle: Any = form.component(path_of(extension, name))
        followers = [each for each in inputs if each.show_if == name]
        controls: list[Any] = [form.component(path_of(extension, each.id)) for each in followers]
        for control in controls:
            control.visible = bool(by_id[name].default)
        toggle.change(_seen_if(len(controls)), [toggle], controls, **dict(QUIET))


def _seen_if(count: int) -> Callable[[bool], Any]:
    """A handler that shows or hides so many controls."""

    def show(is_on: bool) -> Any:
        seen = gr.update(visible=is_on)
        return seen if count == 1 else [seen] * count

    return show


def _words(inputs: Mapping[str, Input], at: At) -> list[str]:
    """What is active: nothing while its switch is off; else what differs from the defaults."""
    switch = next((path for path, each in inputs.items() if each.id == ENABLED), None)
    if switch is not None and not at[switch]:
        return []
    changed = [
        _named(each, at[path])
        for path, each in inputs.items()
        if path != switch and path in at and at[path] not in (each.default, None)
    ]
    more = [f"{len(changed) - MOST_NAMED} more"] if len(changed) > MOST_NAMED else []
    return [*(["on"] if switch is not None else []), *changed[:MOST_NAMED], *more]


def _named(each: Input, value: Any) -> str:
    if isinstance(each, Slider):
        return f"{each.label} {plain(value)}"
    if isinstance(each, Choice):
        return f"{each.label}: {value}"
    if isinstance(each, Toggle) and not value:
        return f"{each.label}: off"
    return each.label
