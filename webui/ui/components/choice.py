"""Small controls for one field: a list, a tick, an optional number, and parts behind a tick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import gradio as gr

from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.ui.components.slider import element_id
from webui.ui.controls import Number
from webui.ui.fields import default_of
from webui.ui.form import Form
from webui.ui.page import Choices, Page

NONE: Final = ""
"""The value of a list that leaves its field blank."""


def choice(
    form: Form, path: str, label: str, choices: Sequence[tuple[str, str]], name: str
) -> gr.Dropdown:
    """A list that stands at the field's default."""
    value = default_of(path)
    control = _list(form, label, list(choices), value, name)
    form.bind(path, control, blank=value)
    return control


def maybe(
    form: Form, path: str, label: str, choices: Sequence[tuple[str, str]], name: str, none: str
) -> gr.Dropdown:
    """A list whose first entry, called `none`, leaves the field blank."""
    control = _list(form, label, [(none, NONE), *choices], NONE, name)
    form.bind(path, control, read=lambda value: value or None, blank=NONE)
    return control


def model_list(
    page: Page,
    form: Form,
    path: str,
    label: str,
    name: str,
    *,
    kind: ModelKind,
    none: str,
    fixed: Sequence[tuple[str, str]] = (),
) -> gr.Dropdown:
    """A list of files of a kind that Refresh brings up to date; `none` leaves the field blank,
    and `fixed` are entries that are no files."""

    def now() -> Choices:
        models = page.studio.catalog.models(kind=kind)
        return [(none, NONE), *fixed, *((model.name, model.id) for model in models)]

    control = maybe(form, path, label, now()[1:], name, none)
    page.lists[control] = now
    return control


def tick(form: Form, path: str, label: str, name: str) -> gr.Checkbox:
    """A checkbox that stands at the field's default."""
    value = bool(default_of(path))
    control = gr.Checkbox(value, label=label, elem_id=element_id(form, name))
    form.bind(path, control, blank=value)
    return control


def number(form: Form, path: str, label: str, name: str) -> None:
    """A number whose default is one, or none: then it may be left empty, and the field is blank.

    The second kind is a text box, because Gradio's number control shows nothing as 0.
    """
    value, elem_id = default_of(path), element_id(form, name)
    if value is not None:
        control = Number(
            value, label=label, elem_id=elem_id, elem_classes="gesso-field", min_width=120
        )
        form.bind(path, control, blank=value)
        return
    box = gr.Textbox(
        "",
        label=label,
        placeholder="automatic",
        max_lines=1,
        elem_id=elem_id,
        elem_classes="gesso-field",
        min_width=120,
    )
    form.bind(path, box, read=lambda text: _number(text, path, label), show=_shortest, blank="")


def _number(text: str | None, path: str, label: str) -> float | None:
    text = (text or "").strip()
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError as error:
        raise InvalidRequest(
            path, f"{label} “{text}” is not a number. Write one, or leave it empty."
        ) from error


def _shortest(value: float) -> str:
    return repr(value).removesuffix(".0")


@contextmanager
def part(form: Form, path: str, label: str, name: str) -> Iterator[gr.Checkbox]:
    """A checkbox that switches an optional part; the style sheet shows the part's controls, which
    the body draws, while it is ticked."""
    with gr.Column(elem_classes="gesso-part"):
        control = gr.Checkbox(False, label=label, elem_id=element_id(form, name))
        form.switch(path, control)
        with gr.Column(elem_classes="gesso-inside"):
            yield control


def _list(form: Form, label: str, choices: list[Any], value: str, name: str) -> gr.Dropdown:
    return gr.Dropdown(
        choices,
        value=value,
        label=label,
        elem_id=element_id(form, name),
        elem_classes="gesso-line",
        min_width=120,
    )
