"""What goes on now, once or as a stream of events."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from webui.api.context import the_person, the_studio
from webui.api.event_stream import event_stream
from webui.api.views import StateView, state_view
from webui.core.codec import to_json
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1", tags=["state"])


@ROUTER.get("/state")
@needs(Access.PERSON)
def read_state(request: Request) -> StateView:
    """Engines, open jobs in running order, and the disk."""
    return state_view(the_studio(request), the_person(request))


@ROUTER.get("/events", response_class=StreamingResponse)
@needs(Access.PERSON, is_stream=True)
def follow_events(request: Request) -> StreamingResponse:
    """Server-sent events: first `state`, then each event as it happens; after a break the state
    comes again."""
    studio, person = the_studio(request), the_person(request)
    return StreamingResponse(
        event_stream(studio.bus, lambda: to_json(state_view(studio, person)), person),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
