"""The Model Context Protocol: agents make pictures with tools. See docs/api.md."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from webui.api.context import the_links, the_studio
from webui.gate.access import UPLOAD_BYTES, Access, needs

ROUTER = APIRouter()


@needs(Access.PERSON, is_stream=True, max_body_bytes=UPLOAD_BYTES)
async def answer_agent(request: Request) -> Response:
    """Answer one message of the protocol (streamable HTTP, without sessions)."""
    # A route of Starlette calls what it gets with the connection, be it a Response or not.
    return cast("Response", await run_in_threadpool(_answer, request))


def _answer(request: Request) -> ASGIApp:
    """What answers such requests. Imports here: the protocol's library takes half a second, which
    the page's start need not wait for. Two first requests at once make it twice, to no harm."""
    from webui.api.mcp.server import build_answer

    state = request.app.state
    if not hasattr(state, "mcp"):
        state.mcp = build_answer(the_studio(request), the_links(request))
    made: ASGIApp = state.mcp
    return made


for _address in ("/mcp", "/mcp/"):
    ROUTER.add_route(_address, answer_agent, methods=["POST"], include_in_schema=False)
