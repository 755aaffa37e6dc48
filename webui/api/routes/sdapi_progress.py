"""A1111's API: how far the caller's own work is, and ending it."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from webui.api.context import RawBody, the_person, the_studio
from webui.api.sdapi.desk import the_desk
from webui.api.sdapi.fields import read_object
from webui.api.sdapi.progress import cut_short, pending_tasks, read_progress, task_answer
from webui.api.sdapi.router import SdapiRouter
from webui.gate.access import Access, needs

ROUTER = SdapiRouter(prefix="")


@ROUTER.get("/sdapi/v1/progress")
@needs(Access.PERSON)
def show_progress(request: Request, skip_current_image: bool = False) -> dict[str, Any]:
    """How far the caller's own job is; nothing of anybody else's."""
    studio, person = the_studio(request), the_person(request)
    return read_progress(studio, the_desk(request), person, has_image=not skip_current_image)


@ROUTER.post("/sdapi/v1/interrupt")
@needs(Access.ARTIST)
def interrupt(request: Request) -> dict[str, Any]:
    """End the caller's job. Whoever waits for it gets the pictures that are finished."""
    cut_short(the_studio(request), the_desk(request), the_person(request), goes_on=False)
    return {}


@ROUTER.post("/sdapi/v1/skip")
@needs(Access.ARTIST)
def skip(request: Request) -> None:
    """End the batch at work of the caller's job; the batches behind it are made."""
    cut_short(the_studio(request), the_desk(request), the_person(request), goes_on=True)


@ROUTER.post("/internal/progress")
@needs(Access.PERSON)
def show_task(request: Request, body: RawBody) -> dict[str, Any]:
    """How far a job of the caller is that was named with force_task_id."""
    asked = {key: value for key, value in read_object(body).items() if value is not None}
    seen = asked.get("id_live_preview", -1)
    return task_answer(
        the_studio(request),
        the_desk(request),
        the_person(request),
        str(asked.get("id_task", "")),
        seen if isinstance(seen, int) else -1,
        has_image=bool(asked.get("live_preview", True)),
    )


@ROUTER.get("/internal/pending-tasks")
@needs(Access.PERSON)
def list_tasks(request: Request) -> dict[str, Any]:
    """The caller's own jobs that wait."""
    return pending_tasks(the_studio(request), the_desk(request), the_person(request))


@ROUTER.get("/internal/ping")
@needs(Access.PERSON)
def ping() -> dict[str, Any]:
    """Whether the server answers."""
    return {}
