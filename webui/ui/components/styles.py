"""Saved pieces of prompts: choose some, put them into the prompts, save the prompts as one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError
from webui.core.person import Role
from webui.prompting.styles import Style, StyleBook, Styled
from webui.ui.caller import must_be
from webui.ui.components.group import At, group
from webui.ui.components.prompt import PromptRow
from webui.ui.form import Form, Values
from webui.ui.page import Choices, Page

MOST_NAMED: Final = 3
"""So many chosen styles are named in the title."""


def styles_group(page: Page, form: Form, row: PromptRow) -> None:
    """A list to choose from, and what can be done with the choice; closed away."""
    mode, book = form.mode, page.studio.styles
    with group(form, "Styles", f"{mode}_styles_group", _words):
        chosen = gr.Dropdown(
            _names(book),
            value=[],
            multiselect=True,
            label="Styles",
            elem_id=f"{mode}_styles",
            elem_classes="gesso-line",
        )
        form.bind("styles", chosen, read=lambda names: names or [], show=list, blank=[])
        with gr.Row(elem_classes="gesso-chips"):
            apply = gr.Button("Put into the prompts", size="sm", elem_id=f"{mode}_style_apply")
        with gr.Row(elem_classes="gesso-seed"):
            name = gr.Textbox(
                "",
                label="New style",
                placeholder="A name for the prompts as they are",
                max_lines=1,
                elem_id=f"{mode}_style_name",
                elem_classes="gesso-field",
            )
            save = gr.Button("Save", size="sm", elem_id=f"{mode}_style_create", min_width=44)
    page.lists[chosen] = lambda: _names(book)
    _wire_apply(book, form, row, chosen, apply)
    _wire_save(book, form, row, chosen, name, save)


def _wire_apply(
    book: StyleBook, form: Form, row: PromptRow, chosen: gr.Dropdown, button: gr.Button
) -> None:
    """The chosen styles go into the two boxes, to be changed there."""

    def apply(values: Values) -> dict[Component, Any]:
        try:
            styled = _applied(book, row, chosen, values)
        except GessoError as error:
            return _refused(row, error, chosen)
        told = json.dumps({"told": "The styles are in the prompts now."})
        prompts = {row.prompt: styled.prompt, row.negative: styled.negative_prompt}
        return {**prompts, chosen: [], row.answer: told}

    words = [row.prompt, row.negative, chosen]
    _on_click(form, button, apply, {*words}, [*words, row.answer], row)


def _wire_save(
    book: StyleBook,
    form: Form,
    row: PromptRow,
    chosen: gr.Dropdown,
    name: gr.Textbox,
    button: gr.Button,
) -> None:
    """The prompts as they are, chosen styles included, become a style."""

    def save(values: Values) -> dict[Component, Any]:
        label = (values[name] or "").strip()
        try:
            must_be(Role.OWNER)  # they are there for everybody
            styled = _applied(book, row, chosen, values)
            words = Style(name=label, prompt=styled.prompt, negative_prompt=styled.negative_prompt)
            book.save(words)
        except GessoError as error:
            return _refused(row, error, name)
        told = json.dumps({"told": f"Saved as style “{label}”."})
        return {chosen: gr.update(choices=_names(book)), name: "", row.answer: told}

    inputs = {row.prompt, row.negative, chosen, name}
    _on_click(form, button, save, inputs, [chosen, name, row.answer], row)


def _applied(book: StyleBook, row: PromptRow, chosen: gr.Dropdown, values: Values) -> Styled:
    prompt, negative, names = values[row.prompt], values[row.negative], values[chosen]
    return book.apply(
        Styled(prompt=prompt or "", negative_prompt=negative or "", styles=tuple(names or ()))
    )


def _refused(row: PromptRow, error: GessoError, at: Component) -> dict[Component, Any]:
    return {row.answer: json.dumps({"fault": str(error), "control": at.elem_id})}


def _names(book: StyleBook) -> Choices:
    return [(style.name, style.name) for style in book.styles()]


def _on_click(
    form: Form,
    button: gr.Button,
    run: Any,
    inputs: set[Component],
    outputs: Sequence[Component],
    row: PromptRow,
) -> None:
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    button.click(run, inputs, list(outputs), show_progress="hidden", **quiet).then(
        None, [row.answer], None, js=f"(answer) => gesso.answer('{form.mode}', answer)", **quiet
    )


def _words(at: At) -> list[str]:
    names = list(at["styles"] or [])
    if len(names) <= MOST_NAMED:
        return [", ".join(names)] if names else []
    return [", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED} more"]
