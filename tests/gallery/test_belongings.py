"""Uploads that nothing needs are found and deleted; what anything names is kept."""

from __future__ import annotations

import os

import pytest

from tests.conftest import finished, png, until
from webui.core.errors import NotFound
from webui.core.job import LOCAL, PersonId
from webui.core.request import GenerationRequest, InputId, Source
from webui.gallery.belongings import Uploads
from webui.jobs.store import Terms
from webui.plans.plan import PlanRequest
from webui.studio import Studio

LATER = Terms(is_paused=True)


def put_in(
    studio: Studio, colour: str, person: PersonId = LOCAL, *, is_old: bool = True
) -> InputId:
    """An upload of a colour of its own, long ago unless it is not old."""
    id = studio.inputs.add(png(colour=colour), person)
    if is_old:
        os.utime(studio.inputs.path(id), (1_600_000_000, 1_600_000_000))
    return id


def from_picture(id: InputId) -> GenerationRequest:
    return GenerationRequest(prompt="x", source=Source(image=id), width=64, height=64)


def unused(studio: Studio, person: PersonId = LOCAL) -> int:
    return studio.belongings.unused(person).count


def test_an_upload_that_nothing_names_is_deleted(studio: Studio) -> None:
    id, fresh = put_in(studio, "red"), put_in(studio, "blue", is_old=False)
    size = studio.inputs.size(id)
    assert studio.belongings.delete_unused(LOCAL) == Uploads(1, size)
    with pytest.raises(NotFound):
        studio.inputs.path(id)
    assert studio.inputs.path(fresh).is_file()
    assert studio.belongings.unused(LOCAL) == Uploads(0, 0)
    assert studio.belongings.bytes_of(LOCAL) == studio.inputs.size(fresh)


def test_what_a_picture_was_made_from_stays_until_it_is_deleted_for_good(studio: Studio) -> None:
    id = put_in(studio, "red")
    job = finished(studio, studio.submit(from_picture(id)).id)
    (picture,) = studio.gallery.of_job(job.id)
    assert unused(studio) == 0
    studio.gallery.trash(picture.id)
    assert unused(studio) == 0
    studio.gallery.delete(picture.id)
    assert unused(studio) == 1


def test_what_a_job_will_be_made_from_stays(studio: Studio) -> None:
    job = studio.submit(from_picture(put_in(studio, "red")), terms=LATER)
    assert unused(studio) == 0
    studio.cancel(job.id)  # it can be asked for again
    assert unused(studio) == 0


def test_what_a_plan_is_made_from_stays(studio: Studio) -> None:
    request = from_picture(put_in(studio, "red"))
    steps = {"x": {"axis": "steps", "values": "2"}}
    plan = studio.plans.begin(PlanRequest(kind="xyz", request=request, options=steps))
    until(lambda: studio.plans.get(plan.id).is_settled)
    for picture in studio.gallery.page(LOCAL):
        studio.gallery.trash(picture.id)
    assert studio.gallery.empty_trash(LOCAL) > 0
    assert unused(studio) == 0


def test_uploads_of_others_are_not_counted_and_stay(studio: Studio) -> None:
    ann = PersonId("ann")
    id = put_in(studio, "red", ann)
    assert put_in(studio, "red") == id
    assert (unused(studio), unused(studio, ann)) == (1, 1)
    studio.submit(from_picture(id), ann, terms=LATER)
    assert (unused(studio), unused(studio, ann)) == (1, 0)
    studio.belongings.delete_unused(LOCAL)
    assert studio.inputs.path(id).is_file()
    assert (studio.inputs.of(LOCAL), studio.inputs.of(ann)) == ([], [id])
