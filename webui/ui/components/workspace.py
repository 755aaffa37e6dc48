"""A tab that makes pictures: prompt row on top, controls at the left, pictures at the right."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError, InvalidRequest
from webui.core.person import Role
from webui.core.request import GenerationRequest, Mode
from webui.plans.plan import PlanRequest
from webui.prompting.faults import WrongPrompt
from webui.studio import Studio
from webui.ui.caller import must_be, who_asks
from webui.ui.components.batch import batch_controls
from webui.ui.components.extensions import extension_controls
from webui.ui.components.follow_source import follow_source
from webui.ui.components.guidance import guidance_extras
from webui.ui.components.more import more_controls
from webui.ui.components.parameters import sampler_parameters
from webui.ui.components.plans import plan_controls
from webui.ui.components.prompt import PromptRow, prompt_row
from webui.ui.components.refiner import refiner_controls
from webui.ui.components.sampling import guidance_control, sampler_controls
from webui.ui.components.seed import seed_controls, seed_extras
from webui.ui.components.size import Size, size_controls
from webui.ui.components.source import FIELD
from webui.ui.components.styles import styles_group
from webui.ui.form import Form, Values
from webui.ui.live import live
from webui.ui.page import Page

log = logging.getLogger(__name__)

OwnGroup = Callable[[Page, Form], None]


@contextmanager
def workspace(page: Page, mode: Mode, *own: OwnGroup) -> Iterator[Form]:
    """Draw the tab. The body of the `with` draws the tab's own controls, above the common ones;
    `own` draw its own closed groups, the first below the common controls."""
    form = page.forms[mode] = Form(mode)
    form.bind("checkpoint", page.checkpoint)
    row = prompt_row(form)
    with gr.Row(elem_classes="gesso-work"):
        with gr.Column(
            scale=2, min_width=320, elem_id=f"{mode}_settings", elem_classes="gesso-controls"
        ):
            yield form
            size = common_controls(page, form, row, own)
            extension_controls(page, form)
            plans = page.scripts[mode] = plan_controls(page, form)
        with gr.Column(
            scale=3, min_width=320, elem_id=f"{mode}_results", elem_classes="gesso-results-column"
        ):
            live("gesso-plans", mode=mode)
            live("gesso-results", elem_id=f"{mode}_gallery", mode=mode)
    wire_generate(page.studio, form, row.generate, row.answer, plans)
    if (source := form.component(FIELD)) is not None:
        follow_source(page, size, source)


def common_controls(page: Page, form: Form, row: PromptRow, own: Sequence[OwnGroup]) -> Size:
    """The controls of every tab that makes pictures, by importance. What a newcomer doesn't need
    comes last, in closed groups."""
    studio = page.studio
    defaults = studio.defaults(studio.current_model())
    sampler_controls(studio, form, defaults)
    size = size_controls(form, defaults)
    guidance_control(form, defaults)
    seed_controls(form)
    batch_controls(form)
    styles_group(page, form, row)
    for draw in own:
        draw(page, form)
    refiner_controls(page, form)
    seed_extras(form)
    guidance_extras(form)
    sampler_parameters(form)
    more_controls(page, form, defaults)
    return size


class Script(Protocol):
    """What may make several jobs of what a form asks for."""

    @property
    def inputs(self) -> set[Component]:
        """Its controls, for a handler's inputs beside the form's."""
        ...

    def component(self, field: str) -> Component | None:
        """The control that holds a field of a plan, for faults."""
        ...

    def asked(self, values: Values) -> PlanRequest | None:
        """The plan that the controls ask for; None when it is one job. Raises InvalidRequest."""
        ...


def wire_generate(
    studio: Studio, form: Form, generate: gr.Button, answer: gr.Textbox, script: Script
) -> None:
    """Generate hands the request in and returns at once; the job is followed by its events."""
    generate.click(
        _generate(studio, form, script),
        form.inputs | script.inputs,
        [answer],
        queue=False,
        trigger_mode="multiple",  # a press while the last one is on its way is a request, too
        show_progress="hidden",
        api_visibility="private",
    ).then(
        None,
        [answer],
        None,
        js=f"(answer) => gesso.answer('{form.mode}', answer)",
        queue=False,
        api_visibility="private",
    )


def _generate(studio: Studio, form: Form, script: Script) -> Callable[[Values], str]:
    # Looked up while the page is built: afterwards Gradio forgets what lies where.
    groups = {control: _groups_around(control) for control in form.inputs | script.inputs}

    def generate(values: Values) -> str:
        try:
            must_be(Role.ARTIST)
            if (plan := script.asked(values)) is not None:
                _check_mask(form, plan.request)
                return json.dumps({"plan": studio.plans.begin(plan, who_asks().id).id})
            request = form.request(values)
            _check_mask(form, request)
            job = studio.submit(request, who_asks().id)
        except InvalidRequest as error:
            control = script.component(error.field) or form.component(error.field)
            return _fault(error.message, control, groups.get(control, []), error)
        except GessoError as error:
            return _fault(str(error))
        except Exception:
            log.exception("A request from the page could not be taken.")
            return _fault("The request could not be taken. The terminal says why.")
        return json.dumps({"job": job.id})

    return generate


def _check_mask(form: Form, request: GenerationRequest) -> None:
    """Without anything to paint in, Inpaint would quietly make pictures of img2img."""
    if form.mode == Mode.INPAINT and request.mode is not Mode.INPAINT:
        raise InvalidRequest(
            FIELD,
            "The mask is empty. Paint over the part to be made anew, or add picture at a side "
            "under Outpaint.",
        )


def _fault(
    message: str,
    control: Component | None = None,
    groups: Sequence[str] = (),
    error: InvalidRequest | None = None,
) -> str:
    """An answer that says what is wrong, which control holds it, in which closed groups that lies,
    and the character of a prompt that is at fault."""
    return json.dumps(
        {
            "fault": message,
            "control": control.elem_id if control else None,
            "groups": list(groups),
            "position": error.position if isinstance(error, WrongPrompt) else None,
        }
    )


def _groups_around(control: Component) -> list[str]:
    """The element ids of the accordions around a control, outermost first."""
    found: list[str] = []
    place = control.parent
    while place is not None:
        if isinstance(place, gr.Accordion) and place.elem_id:
            found.insert(0, place.elem_id)
        place = place.parent
    return found
