"""A closed accordion for what is seldom changed. Its title says what in it is active."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gradio as gr

from webui.ui.form import Form, Titled, Values

At = Mapping[str, Any]
"""Values of controls by the paths of the fields they hold."""


@contextmanager
def group(
    form: Form, name: str, elem_id: str, words: Callable[[At], list[str]]
) -> Iterator[gr.Accordion]:
    """The body of the `with` draws and binds the controls. `words` says what is active among
    them, in a few words each; nothing for controls that are as they were."""
    before = form.paths
    with gr.Accordion(name, open=False, elem_id=elem_id, elem_classes="gesso-group") as accordion:
        yield accordion
    titled = Titled(
        accordion=accordion,
        paths=tuple(path for path in form.paths if path not in before),
        title=lambda at: " · ".join([name, *words(at)]),
    )
    form.entitle(titled)
    _follow(form, titled)


def _follow(form: Form, titled: Titled) -> None:
    controls: list[Any] = [form.component(path) for path in titled.paths]

    def retitle(values: Values) -> Any:
        return gr.update(label=form.titled_by(titled, values))

    gr.on(
        [control.change for control in controls],
        retitle,
        set(controls),
        [titled.accordion],
        queue=False,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )


def plain(number: float) -> str:
    """A number as people write it: 2, 0.35."""
    return f"{number:g}"
