"""The way from a picture back into the controls: restore a recipe, send a picture, try again.

The client writes what it wants as JSON into a text box that nobody sees and presses a button that
nobody sees; they stand outside the tabs, because a tab that was never opened is not in the page.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block

from webui.core.codec import decode, from_json
from webui.core.errors import GessoError, NotFound, NotPermitted
from webui.core.job import JobId, PersonId
from webui.core.person import Role
from webui.core.request import Extras, GenerationRequest, InputId, Mode, Source
from webui.studio import Studio
from webui.ui.caller import must_be, who_asks
from webui.ui.form import Form, Values
from webui.ui.page import Page, Scripts

log = logging.getLogger(__name__)

SENT: Final = (
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "source.image",
    "mask.image",
    "extras.image",
)
"""What goes along when a picture is sent to a tab as its source."""

PLACES: Final = ("source.image", "extras.image")

PLAN: Final = "plan"
"""Where a draft keeps the tab's list of scripts, beside the fields of a request: no field has this
name."""

Forms = Mapping[str, Form]
NO_SCRIPTS: Final[Mapping[str, Scripts]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the client asks for: a picture's recipe or a whole request into its tab, a picture as
    the source of a tab, or a failed job once more."""

    picture: str | None = None
    source_of: Mode | None = None
    input: str | None = None
    """In place of a picture of ours: one that was put in, as the source."""
    request: Mapping[str, Any] | None = None
    into: Mode | None = None
    """The tab that a request goes into, when it is not the one that its parts tell."""
    missing: tuple[str, ...] = ()
    """What the client already knows to be missing for its request."""
    retry: str | None = None
    drafts: Mapping[str, Mapping[str, Any]] | None = None
    """What stood in the controls of each tab before the page was loaded again."""


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What a wish does: values for the controls of a tab, or a job. `missing` names what a recipe
    needs and this server doesn't have."""

    mode: Mode | None
    """The tab to open; None leaves the open one."""
    values: Mapping[Block, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    job: str | None = None


def restore_channel(page: Page, tabs: gr.Tabs) -> None:
    """Draw the unseen box and button, and wire them to the controls of all tabs."""
    wish = gr.Textbox(visible="hidden", elem_id="gesso_wish", label="Wish")
    answer = gr.Textbox(visible="hidden", elem_id="gesso_wish_answer", label="Answer")
    button = gr.Button("Apply", visible="hidden", elem_id="gesso_wish_apply")
    controls: set[Block] = {part for form in page.forms.values() for part in form.shown}
    scripts = {part for each in page.scripts.values() for part in each.inputs}

    def apply(text: str) -> dict[Block, Any]:
        try:
            granted = grant(page.studio, page.forms, from_json(Wish, text), page.scripts)
        except GessoError as error:
            return {answer: json.dumps({"fault": str(error)})}
        except Exception:
            log.exception("A picture could not be restored.")
            return {answer: json.dumps({"fault": "That did not work. The terminal says why."})}
        told = {"tab": granted.mode, "missing": granted.missing, "job": granted.job}
        is_elsewhere = granted.mode is not None and not granted.job
        switch = {tabs: gr.Tabs(selected=str(granted.mode))} if is_elsewhere else {}
        return {answer: json.dumps(told), **switch, **granted.values}

    def keep(values: Values) -> str:
        try:
            must_be(Role.ARTIST)
        except NotPermitted:
            return "{}"
        drafts = {mode: form.draft(values) for mode, form in page.forms.items()}
        for mode, each in page.scripts.items():
            drafts[mode][PLAN] = each.draft(values)
        return json.dumps(drafts)

    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    button.click(
        apply, [wish], [tabs, answer, *controls, *scripts], show_progress="hidden", **quiet
    ).then(None, [answer], None, js="(answer) => gesso.restored(answer)", **quiet)
    drafts = gr.Textbox(visible="hidden", elem_id="gesso_drafts", label="Drafts")
    leave = gr.Button("Keep", visible="hidden", elem_id="gesso_drafts_keep")
    inputs = {part for form in page.forms.values() for part in form.inputs} | scripts
    leave.click(keep, inputs, [drafts], show_progress="hidden", **quiet).then(
        None, [drafts], None, js="(drafts) => gesso.reload(drafts)", **quiet
    )
    note = gr.Button("Note", visible="hidden", elem_id="gesso_drafts_note")
    light = {part for part in inputs if not isinstance(part, (gr.Image, gr.ImageEditor, gr.File))}
    note.click(keep, light, [drafts], show_progress="hidden", **quiet).then(
        None, [drafts], None, js="(drafts) => gesso.noted(drafts)", **quiet
    )


def grant(
    studio: Studio, forms: Forms, wish: Wish, scripts: Mapping[str, Scripts] = NO_SCRIPTS
) -> Granted:
    """Work a wish out. Raises GessoError that says why it can't be granted."""
    person = must_be(Role.ARTIST).id
    if wish.drafts is not None:
        return Granted(mode=None, values=_drafted(forms, scripts, wish.drafts))
    if wish.retry is not None:
        tried = studio.own_job(JobId(wish.retry), person)
        job = studio.submit(tried.request, person)
        return Granted(mode=job.request.mode, job=job.id)
    if wish.input is not None and wish.source_of is not None:
        return _place(studio, forms[wish.source_of], InputId(wish.input), person)
    if wish.picture is not None and wish.source_of is not None:
        return _send(studio, forms[wish.source_of], wish.picture)
    missing: Sequence[str]
    if wish.picture is not None:
        recipe = studio.own_picture(wish.picture, person).recipe
        request, missing = studio.request_of(recipe, person)
    else:
        asked = decode(GenerationRequest, wish.request or {})
        request, missing = studio.with_known_files(asked, person)
    mode = wish.into or request.mode
    form = forms[mode]
    named = list(dict.fromkeys([*wish.missing, *missing]))
    return Granted(mode=mode, values=form.values(request), missing=named)


def _drafted(
    forms: Forms, scripts: Mapping[str, Scripts], drafts: Mapping[str, Mapping[str, Any]]
) -> dict[Block, Any]:
    """What stood in the controls; of tabs that are not there any more, nothing."""
    shown: dict[Block, Any] = {}
    for mode, fields in drafts.items():
        if mode in forms:
            shown |= forms[mode].values(fields)
        if mode in scripts:
            shown |= scripts[mode].values(fields.get(PLAN) or {})
    return shown


def _place(studio: Studio, form: Form, input: InputId, person: PersonId) -> Granted:
    """A picture that was put in as the source of a tab; nothing else changes there."""
    if not studio.inputs.is_of(input, person):
        raise NotFound("picture", input)
    if form.mode == Mode.EXTRAS:
        asked = GenerationRequest(extras=Extras(image=input))
    else:
        asked = GenerationRequest(source=Source(image=input))
    return Granted(mode=Mode(form.mode), values=form.values(asked, PLACES))


def _send(studio: Studio, form: Form, picture_id: str) -> Granted:
    """A picture of ours as the source of a tab, with the words that made it."""
    person = who_asks().id
    picture = studio.own_picture(picture_id, person)
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise NotFound("file of the picture", picture.path.name) from error
    if form.mode == Mode.EXTRAS:
        extras = GenerationRequest(extras=Extras(image=studio.inputs.add(data, person)))
        return Granted(mode=Mode.EXTRAS, values=form.values(extras, SENT))
    request = replace(
        picture.recipe.request(),
        width=picture.width,
        height=picture.height,
        source=Source(image=studio.inputs.add(data, person)),
        mask=None,
        extras=None,
    )
    return Granted(mode=Mode(form.mode), values=form.values(request, SENT))
