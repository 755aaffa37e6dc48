"""What would become of a request, before it is handed in."""

from __future__ import annotations

from fastapi import APIRouter, Request

from webui.api.context import RawBody, the_person, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.core.request import GenerationRequest
from webui.gate.access import Access, needs
from webui.jobs.preflight import Verdict

ROUTER = APIRouter(prefix="/api/v1/preflight", tags=["queue"])


@ROUTER.post("")
@needs(Access.ARTIST)
def look_ahead(request: Request, asked: GenerationRequest, body: RawBody) -> Verdict:
    """Whether a request fits, will be slow or can't be done, with the reason; how long it would
    take alone, and until it would be done as the queue is now. Nothing is accepted."""
    refuse_unknown_fields(GenerationRequest, body)
    return the_studio(request).preflight(asked, the_person(request))
