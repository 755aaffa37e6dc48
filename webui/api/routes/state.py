"""What goes on now, once or as a stream of events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from webui.api.context import the_caller, the_person, the_recent_events, the_studio
from webui.api.event_stream import Reader, event_stream, news
from webui.api.views import StateView, state_view
from webui.core.codec import to_json
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1", tags=["state"])

TRY_AGAIN_LATER: Final = 1013
"""Closes a websocket whose reader is too far behind."""
LONGEST_ID: Final = 100

LastSeen = Annotated[str, Query(max_length=LONGEST_ID)]


@ROUTER.get("/state")
@needs(Access.PERSON)
def read_state(request: Request) -> StateView:
    """Engines, open jobs in running order, and the disk."""
    return state_view(the_studio(request), the_person(request))


@ROUTER.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
@needs(Access.PERSON, is_stream=True)
def follow_events(
    request: Request,
    last_event_id: Annotated[str, Header(max_length=LONGEST_ID)] = "",
    after: LastSeen = "",
) -> StreamingResponse:
    """Server-sent events: first `state`, then each event as it happens. After a break, the id of
    the last event seen (`Last-Event-ID`, or `after`) brings what was missed instead."""
    reader = _reader(request, last_event_id or after)
    return StreamingResponse(
        event_stream(the_recent_events(request), reader),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


@ROUTER.websocket("/events/ws")
@needs(Access.PERSON, is_stream=True)
async def follow_events_by_socket(socket: WebSocket, after: LastSeen = "") -> None:
    """The same as messages of a websocket: {"id": ..., "event": ..., "data": ...}."""
    await socket.accept()
    telling = asyncio.ensure_future(_tell(socket, _reader(socket, after)))
    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass  # a reader has nothing to say
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell(socket: WebSocket, reader: Reader) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the reader has gone
        async with contextlib.aclosing(news(the_recent_events(socket), reader)) as batches:
            async for batch in batches:
                for told in batch:
                    await socket.send_text(told.as_json())
        await socket.close(TRY_AGAIN_LATER)


def _reader(connection: HTTPConnection, last_seen: str) -> Reader:
    studio, caller = the_studio(connection), the_caller(connection)
    return Reader(
        person=caller.id,
        role=caller.role,
        read_state=lambda: to_json(state_view(studio, caller.id)),
        last_seen=last_seen,
    )
