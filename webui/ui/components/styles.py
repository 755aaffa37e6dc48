"""Saved pieces of prompts: choose some, put them into the prompts, save the prompts as one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError
from webui.prompting.styles import Style, Styled
from webui.ui.components.group import At, group
from webui.ui.components.prompt import PromptRow
from webui.ui.form import Form, Values
from webui.ui.page import Choices, Page

MOST_NAMED: Final = 3
"""So many chosen styles are named in the title."""


def styles_group(page: Page, form: Form, row: PromptRow) -> None:
    """A list to choose from, and what can be done with the choice; closed away."""
    mode, book = form.mode, page.studio.styles

    def now() -> Choices:
        return [(style.name, style.name) for style in book.styles()]

    with group(form, "Styles", f"{mode}_styles_group", _words):
        chosen = gr.Dropdown(
            now(),
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
    page.lists[chosen] = now
    words = (row.prompt, row.negative, chosen)

    def applied(values: Values) -> dict[Component, Any]:
        prompt, negative, names = (values[part] for part in words)
        try:
            styled = book.apply(_styled(prompt, negative, names))
        except GessoError as error:
            return {row.answer: json.dumps({"fault": str(error), "control": chosen.elem_id})}
        told = {"told": "The styles are in the prompts now."}
        return {
            row.prompt: styled.prompt,
            row.negative: styled.negative_prompt,
            chosen: [],
            row.answer: json.dumps(told),
        }

    def saved(values: Values) -> dict[Component, Any]:
        label = (values[name] or "").strip()
        prompt, negative, names = (values[part] for part in words)
        try:
            styled = book.apply(_styled(prompt, negative, names))
            book.save(
                Style(name=label, prompt=styled.prompt, negative_prompt=styled.negative_prompt)
            )
        except GessoError as error:
            return {row.answer: json.dumps({"fault": str(error), "control": name.elem_id})}
        answer = json.dumps({"told": f"Saved as style “{label}”."})
        return {chosen: gr.update(choices=now()), name: "", row.answer: answer}

    _on_click(form, apply, applied, {*words}, [*words, row.answer], row)
    _on_click(form, save, saved, {*words, name}, [chosen, name, row.answer], row)


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


def _styled(prompt: str | None, negative: str | None, names: Sequence[str] | None) -> Styled:
    return Styled(prompt=prompt or "", negative_prompt=negative or "", styles=tuple(names or ()))


def _words(at: At) -> list[str]:
    names = list(at["styles"] or [])
    if len(names) <= MOST_NAMED:
        return [", ".join(names)] if names else []
    return [", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED} more"]
