"""A tab that makes pictures: prompt row on top, controls at the left, pictures at the right."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

from webui.core.errors import GessoError, InvalidRequest
from webui.core.request import Mode
from webui.studio import Studio
from webui.ui.components.batch import batch_controls
from webui.ui.components.follow_source import follow_source
from webui.ui.components.prompt import PromptRow, prompt_row
from webui.ui.components.sampling import guidance_control, more_controls, sampler_controls
from webui.ui.components.seed import seed_controls
from webui.ui.components.size import Size, size_controls
from webui.ui.components.source import FIELD
from webui.ui.form import Form, Values
from webui.ui.live import live
from webui.ui.page import Page

log = logging.getLogger(__name__)


@contextmanager
def workspace(page: Page, mode: Mode) -> Iterator[Form]:
    """Draw the tab. The body of the `with` draws the tab's own controls, above the common ones."""
    form = page.forms[mode] = Form(mode)
    form.bind("checkpoint", page.checkpoint)
    row = prompt_row(form)
    with gr.Row(elem_classes="gesso-work"):
        with gr.Column(
            scale=2, min_width=320, elem_id=f"{mode}_settings", elem_classes="gesso-controls"
        ):
            yield form
            size = common_controls(page.studio, form)
        with gr.Column(
            scale=3, min_width=320, elem_id=f"{mode}_results", elem_classes="gesso-results-column"
        ):
            live("gesso-results", elem_id=f"{mode}_gallery", mode=mode)
    _wire(page.studio, form, row)
    if (source := form.component(FIELD)) is not None:
        follow_source(page, size, source)


def common_controls(studio: Studio, form: Form) -> Size:
    """The controls of every tab that makes pictures, by importance."""
    defaults = studio.defaults(studio.current_model())
    sampler_controls(studio, form, defaults)
    size = size_controls(form, defaults)
    guidance_control(form, defaults)
    seed_controls(form)
    batch_controls(form)
    more_controls(form, defaults)
    return size


def _wire(studio: Studio, form: Form, row: PromptRow) -> None:
    """Generate hands the request in and returns at once; the job is followed by its events."""
    row.generate.click(
        _generate(studio, form),
        form.inputs,
        [row.answer],
        queue=False,
        trigger_mode="multiple",  # a press while the last one is on its way is a request, too
        show_progress="hidden",
        api_visibility="private",
    ).then(
        None,
        [row.answer],
        None,
        js=f"(answer) => gesso.answer('{form.mode}', answer)",
        queue=False,
        api_visibility="private",
    )


def _generate(studio: Studio, form: Form) -> Callable[[Values], str]:
    def generate(values: Values) -> str:
        try:
            job = studio.submit(form.request(values))
        except InvalidRequest as error:
            return _fault(error.message, form, error.field)
        except GessoError as error:
            return _fault(str(error), form)
        except Exception:
            log.exception("A request from the page could not be taken.")
            return _fault("The request could not be taken. The terminal says why.", form)
        return json.dumps({"job": job.id})

    return generate


def _fault(message: str, form: Form, path: str = "") -> str:
    """An answer that says what is wrong and which control holds it."""
    control = form.component(path)
    return json.dumps({"fault": message, "control": control.elem_id if control else None})
