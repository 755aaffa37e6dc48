"""What would become of a request, before it is handed in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from webui.api.context import RawBody, the_person, the_studio
from webui.api.errors import explained, sendable
from webui.api.known_fields import refuse_unknown_fields
from webui.core.codec import encode
from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest
from webui.gate.access import Access, needs
from webui.jobs.preflight import Verdict, refusal


class VerdictRoute(APIRoute):
    """A value that no request may have is part of the question, not a fault of it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the verdict in place of such a refusal."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                fault = explained(error)
                if not fault.field:
                    raise
                told = InvalidRequest(sendable(fault.field), sendable(fault.message))
                return JSONResponse(encode(refusal(told)))

        return handled


ROUTER = APIRouter(prefix="/api/v1/preflight", tags=["queue"], route_class=VerdictRoute)


@ROUTER.post("")
@needs(Access.ARTIST)
def look_ahead(request: Request, asked: GenerationRequest, body: RawBody) -> Verdict:
    """Whether a request fits, will be slow or can't be done, with the reason; how long it would
    take alone, and until it would be done as the queue is now. Nothing is accepted."""
    refuse_unknown_fields(GenerationRequest, body)
    return the_studio(request).preflight(asked, the_person(request))
