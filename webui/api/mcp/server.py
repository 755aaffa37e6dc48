"""The server of the protocol, by its official library, answering within one HTTP request.

Nothing is kept between two requests: each brings its own credential, which the gate has checked,
so no session of one person can be used by another.
"""

from __future__ import annotations

import logging
from typing import Final

from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import ToolAnnotations
from starlette.types import Receive, Scope, Send

from webui import __version__
from webui.api.mcp.tools import Tools
from webui.api.mcp.views import resource_of
from webui.api.openai.links import Links
from webui.gate.access import UPLOAD_BYTES
from webui.studio import Studio

INSTRUCTIONS: Final = (
    "Gesso makes pictures with Stable Diffusion and other models on its owner's machine. Call "
    "generate_image with a description of the picture; look at the small version that comes back, "
    "and change it with edit_image or make another with other words or another seed. Everything "
    "is kept in the person's own gallery. Making a picture takes seconds to minutes: when a state "
    "is not yet “done”, call job_status."
)
NOISY: Final = ("mcp", "mcp.server.streamable_http_manager", "mcp.server.lowlevel.server")
"""Loggers that write a line for every request."""

_LOOKS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MAKES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
_ENDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)


class Answer:
    """An ASGI application that answers one request of the protocol."""

    def __init__(self, server: MCPServer[object]) -> None:
        self._server: Final = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Host and origin are the gate's matter, so that the library's own checks stay off."""
        manager = StreamableHTTPSessionManager(
            self._server._lowlevel_server, stateless=True, max_request_body_size=UPLOAD_BYTES
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def build_answer(studio: Studio, links: Links) -> Answer:
    """The tools of a studio behind the protocol."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    server: MCPServer[object] = MCPServer(
        "gesso", title="Gesso", version=__version__, instructions=INSTRUCTIONS, subscriptions=False
    )
    tools = Tools(studio, links)
    for tool, title, kind in (
        (tools.generate_image, "Make pictures", _MAKES),
        (tools.edit_image, "Change a picture", _MAKES),
        (tools.list_models, "List models", _LOOKS),
        (tools.get_picture, "Look at a picture", _LOOKS),
        (tools.job_status, "Look at a job", _LOOKS),
        (tools.cancel_job, "End a job", _ENDS),
    ):
        server.tool(title=title, annotations=kind)(tool)
    server.resource(
        resource_of("{picture_id}"), name="picture", title="A picture", mime_type="image/png"
    )(tools.picture_file)
    return Answer(server)
