"""Choosing a checkpoint: the controls take its defaults, unless somebody set them by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.core.errors import GessoError, NotFound
from webui.core.model import Defaults, ModelInfo
from webui.core.person import Role
from webui.core.request import GenerationRequest, Sampling
from webui.ui.caller import who_asks
from webui.ui.components.topbar import model_choices
from webui.ui.form import Form
from webui.ui.page import Page

log = logging.getLogger(__name__)

PATHS: Final = (
    "width",
    "height",
    "sampling.sampler",
    "sampling.schedule",
    "sampling.steps",
    "sampling.guidance_scale",
    "sampling.clip_skip",
)

PATIENCE_S: Final = 3.0
"""So long an opened page waits for a look through the folders of models. What is found later is in
the lists after the next refresh."""
MOST_PROBLEMS: Final = 2
"""What a notice has room for."""
FILLED: Final = "() => { document.body.dataset.filled = ''; window.gesso?.filled(); }"
"""Tells the client, which may be loaded later than this, that the page is up to date."""


class ModelSwitch:
    """The events of the checkpoint control."""

    def __init__(self, page: Page, notice: gr.HTML) -> None:
        self._page: Final = page
        self._studio: Final = page.studio
        self._notice: Final = notice
        self._followed: Final = gr.Textbox(
            page.studio.current_model().id,
            visible="hidden",
            elem_id="gesso_followed_model",
            label="Model",
        )
        """The model whose defaults the controls of this window took last. Not a gr.State, which
        would cost each window a second open connection, of the six that a browser allows."""

        self._answer: Final = gr.Textbox(
            visible="hidden", elem_id="gesso_models_answer", label="Answer"
        )
        self._wanted: Final = gr.Textbox(
            visible="hidden", elem_id="gesso_wanted_model", label="Wanted model"
        )
        """The model that was chosen among the cards; taken when the unseen button is pressed."""

        self._take: Final = gr.Button("Take", visible="hidden", elem_id="gesso_take_model")

    def wire(self, blocks: gr.Blocks) -> None:
        """Follow the control, and bring a freshly opened page up to date."""
        controls = {part for form in self._page.forms.values() for part in _followers(form)}
        inputs = {self._page.checkpoint, self._followed} | controls
        outputs = [self._notice, self._page.checkpoint, self._followed, *controls]
        listed = [*outputs, *self._page.lists]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        self._page.checkpoint.input(self._chosen, inputs, outputs, queue=False, **quiet)
        self._take.click(self._taken, inputs | {self._wanted}, outputs, queue=False, **quiet)
        blocks.load(self._opened, inputs, listed, queue=False, **quiet).then(
            None, None, None, js=FILLED, queue=False, api_visibility="private"
        )
        self._page.refresh.click(self._opened, inputs, listed, queue=False, **quiet).then(
            self._told, None, [self._answer], queue=False, **quiet
        ).then(
            None,
            [self._answer],
            None,
            js="(answer) => gesso.answer('models', answer)",
            queue=False,
            api_visibility="private",
        )

    def _chosen(self, values: Mapping[Component, Any]) -> dict[Component, Any]:
        """Remember the owner's choice for everybody's next time, and let the controls follow."""
        id = values[self._page.checkpoint]
        is_owner = who_asks().role.covers(Role.OWNER)
        if is_owner and "checkpoint" not in self._studio.settings.fixed:
            try:
                self._studio.settings.update({"checkpoint": id})
            except (GessoError, OSError):
                log.warning("The chosen checkpoint could not be remembered.", exc_info=True)
        return self._follow(values, id)

    def _taken(self, values: Mapping[Component, Any]) -> dict[Component, Any]:
        """Choose what was wanted; it may have come since the list was made."""
        if (model := self._find(values[self._wanted])) is None:
            return {self._followed: values[self._followed]}
        listed = gr.update(choices=model_choices(self._studio), value=model.id)
        chosen = self._chosen({**values, self._page.checkpoint: model.id})
        return {**chosen, self._page.checkpoint: listed}

    def _opened(self, values: Mapping[Component, Any]) -> dict[Component, Any]:
        """The page was built when the server started; models may have come and gone since. The
        one in use stays if it is still there."""
        self._studio.catalog.refresh_soon(PATIENCE_S)
        id = self._studio.current_model().id
        choices = gr.update(choices=model_choices(self._studio), value=id)
        lists = {part: gr.update(choices=now()) for part, now in self._page.lists.items()}
        return {**self._follow(values, id), self._page.checkpoint: choices, **lists}

    def _told(self) -> str:
        """What there is now, and the files that can't be used with the reason; for the client."""
        problems = self._studio.catalog.problems()
        if len(problems) > MOST_PROBLEMS:
            return json.dumps(
                {"fault": f"{len(problems)} files can't be used. The Models tab says why."}
            )
        if problems:
            return json.dumps({"fault": " ".join(problem.why for problem in problems)})
        count = len(self._studio.catalog.models())
        return json.dumps({"told": f"{count} checkpoint{'s' * (count != 1)} in the list."})

    def _follow(self, values: Mapping[Component, Any], id: str) -> dict[Component, Any]:
        """New defaults for the controls that still show the old ones. A model that was taken
        away since changes nothing here; Generate says that it is gone."""
        old, new = self._find(values[self._followed]), self._find(id)
        if new is None:
            return {self._followed: values[self._followed]}
        updates: dict[Component, Any] = {
            self._notice: gr.update(visible=new.is_starter),
            self._followed: id,
        }
        for form in self._page.forms.values():
            before, after = (self._shown(form, model) for model in (old or new, new))
            updates |= {
                part: value
                for part, value in after.items()
                if value != before[part] and values[part] == before[part]
            }
        return updates

    def _find(self, id: str) -> ModelInfo | None:
        try:
            return self._studio.catalog.find(id)
        except NotFound:
            return None

    def _shown(self, form: Form, model: ModelInfo) -> dict[Component, Any]:
        return form.values(_request(self._studio.defaults(model)), PATHS)


def _followers(form: Form) -> list[Component]:
    found = (form.component(path) for path in PATHS)
    return [part for part in found if part is not None]


def _request(defaults: Defaults) -> GenerationRequest:
    return GenerationRequest(
        width=defaults.width,
        height=defaults.height,
        sampling=Sampling(
            sampler=defaults.sampler,
            schedule=defaults.schedule,
            steps=defaults.steps,
            guidance_scale=defaults.guidance_scale,
            clip_skip=defaults.clip_skip,
        ),
    )
