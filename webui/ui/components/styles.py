"""Saved pieces of prompts: choose, put them into the prompts, delete, save the prompts as one.

Before something is lost the button itself asks, and a second press is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError, InvalidRequest
from webui.core.person import Role
from webui.prompting.styles import Style, StyleBook, Styled
from webui.ui.caller import must_be
from webui.ui.components.group import At, group
from webui.ui.components.prompt import PromptRow
from webui.ui.form import Form, Values
from webui.ui.page import Choices, Page

MOST_NAMED: Final = 3
"""So many chosen styles are named in the title."""
DELETE: Final = "Delete"
SAVE: Final = "Save"
NOTHING_TO_SAY: Final = "{}"
LONGEST_NAME: Final = 16
"""Of a style in a question; longer ones are cut."""


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
            delete = gr.Button(DELETE, size="sm", elem_id=f"{mode}_style_delete")
        with gr.Row(elem_classes="gesso-seed"):
            name = gr.Textbox(
                "",
                label="New style",
                placeholder="A name for the prompts as they are",
                max_lines=1,
                elem_id=f"{mode}_style_name",
                elem_classes="gesso-field",
            )
            save = gr.Button(SAVE, size="sm", elem_id=f"{mode}_style_create", min_width=44)
    page.lists[chosen] = lambda: _names(book)
    _wire_apply(book, form, row, chosen, name, apply)
    _wire_delete(book, form, row, chosen, delete)
    _wire_save(book, form, row, chosen, name, save)


def _wire_apply(
    book: StyleBook,
    form: Form,
    row: PromptRow,
    chosen: gr.Dropdown,
    name: gr.Textbox,
    button: gr.Button,
) -> None:
    """The chosen styles go into the two boxes, to be changed there; a single one's name is put
    where it can be saved again."""

    def apply(values: Values) -> dict[Component, Any]:
        try:
            styled = _applied(book, row, chosen, values)
        except GessoError as error:
            return _refused(row, error, chosen)
        told = json.dumps({"told": "The styles are in the prompts now."})
        names = values[chosen] or []
        label = names[0] if len(names) == 1 else values[name]
        prompts = {row.prompt: styled.prompt, row.negative: styled.negative_prompt}
        return {**prompts, chosen: [], name: label, row.answer: told}

    words = [row.prompt, row.negative, chosen, name]
    _on_click(form, button, apply, {*words}, [*words, row.answer], row)


def _wire_delete(
    book: StyleBook, form: Form, row: PromptRow, chosen: gr.Dropdown, button: gr.Button
) -> None:
    """The chosen styles go, after a question."""

    def delete(values: Values) -> dict[Component, Any]:
        names = list(values[chosen] or [])
        try:
            must_be(Role.OWNER)
            question = _question_of(names)
            if values[button] != question:
                return {button: question, row.answer: NOTHING_TO_SAY}
            for name in names:
                book.delete(name)
        except GessoError as error:
            return {button: DELETE, **_refused(row, error, chosen)}
        told = json.dumps({"told": f"Deleted {_called(names)}."})
        left = gr.update(choices=_names(book), value=[])
        return {chosen: left, button: DELETE, row.answer: told}

    _on_click(form, button, delete, {chosen, button}, [chosen, button, row.answer], row)
    _forget(chosen.change, button, DELETE)


def _question_of(names: Sequence[str]) -> str:
    if not names:
        raise InvalidRequest("styles", "No style is chosen. Choose in the list what is to go.")
    return f"Really delete {_called(names)}?"


def _called(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{len(names)} styles"
    cut = names[0] if len(names[0]) <= LONGEST_NAME else names[0][: LONGEST_NAME - 1] + "…"
    return f"“{cut}”"


def _wire_save(
    book: StyleBook,
    form: Form,
    row: PromptRow,
    chosen: gr.Dropdown,
    name: gr.Textbox,
    button: gr.Button,
) -> None:
    """The prompts as they are, chosen styles included, become a style; in place of one of the same
    name after a question."""

    def save(values: Values) -> dict[Component, Any]:
        label = (values[name] or "").strip()
        question = f"Overwrite {_called([label])}?"
        try:
            must_be(Role.OWNER)  # they are there for everybody
            styled = _applied(book, row, chosen, values)
            if values[button] != question and label in dict(_names(book)):
                return {button: question, row.answer: NOTHING_TO_SAY}
            words = Style(name=label, prompt=styled.prompt, negative_prompt=styled.negative_prompt)
            book.save(words)
        except GessoError as error:
            return {button: SAVE, **_refused(row, error, name)}
        told = json.dumps({"told": f"Saved as style “{label}”."})
        saved = {chosen: gr.update(choices=_names(book)), name: "", row.answer: told}
        return {**saved, button: SAVE}

    inputs = {row.prompt, row.negative, chosen, name, button}
    _on_click(form, button, save, inputs, [chosen, name, button, row.answer], row)
    _forget(name.change, button, SAVE)


def _forget(change: Any, button: gr.Button, label: str) -> None:
    """What the question was about changed: it is not asked any more."""
    change(
        None, None, [button], js=f"() => {json.dumps(label)}", queue=False, api_visibility="private"
    )


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
