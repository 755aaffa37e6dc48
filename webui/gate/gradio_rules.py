"""A decision for every route of the pinned Gradio, by its path as Gradio writes it.

There is no default: after an update of Gradio that adds a route, the server does not start until
the route stands here. Open are the files that the page is built of; what the page calls needs a
person; what it never calls is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from webui.gate.access import UPLOAD_BYTES, Access, Rule

_OPEN: Final = Rule(access=Access.OPEN)
_PERSON: Final = Rule(access=Access.PERSON)
_UPLOAD: Final = Rule(access=Access.ARTIST, max_body_bytes=UPLOAD_BYTES)
_STREAM: Final = Rule(access=Access.PERSON, is_stream=True)
_CLOSED: Final = Rule(access=Access.CLOSED)

GRADIO_RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "/": Rule(access=Access.PERSON, is_page=True),
        # Parts of the page that are the same for everyone.
        "/assets/{path:path}": _OPEN,
        "/static/{path:path}": _OPEN,
        "/svelte/{path:path}": _OPEN,
        "/favicon.ico": _OPEN,
        "/manifest.json": _OPEN,
        "/robots.txt": _OPEN,
        "/pwa_icon": _OPEN,
        "/pwa_icon/{size}": _OPEN,
        "/theme.css": _OPEN,
        "/gradio_api/theme.css": _OPEN,
        # What the page calls while it is open.
        "/config": _PERSON,
        "/config/": _PERSON,
        "/gradio_api/app_id": _PERSON,
        "/gradio_api/app_id/": _PERSON,
        # The page's events go here: they are short, and wait in no queue of Gradio's.
        "/gradio_api/run/{api_name}": _PERSON,
        "/gradio_api/queue/join": _PERSON,
        "/gradio_api/queue/data": _STREAM,
        "/gradio_api/heartbeat/{session_hash}": _STREAM,
        "/gradio_api/cancel": _PERSON,
        "/gradio_api/reset": _PERSON,
        "/gradio_api/reset/": _PERSON,
        "/gradio_api/upload": _UPLOAD,
        "/gradio_api/upload_progress": _STREAM,
        # The picture editor posts its layers here instead of to /upload.
        "/gradio_api/component_server": _UPLOAD,
        "/gradio_api/component_server/": _UPLOAD,
        "/gradio_api/file={path_or_url:path}": Rule(access=Access.PERSON, serves_uploads=True),
        # Gradio's own accounts: people sign in at the gate, never here.
        "/login": _CLOSED,
        "/login/": _CLOSED,
        "/logout": _CLOSED,
        "/gradio_api/login_check": _CLOSED,
        "/gradio_api/login_check/": _CLOSED,
        "/gradio_api/token": _CLOSED,
        "/gradio_api/token/": _CLOSED,
        "/gradio_api/user": _CLOSED,
        "/gradio_api/user/": _CLOSED,
        # A second API to the page's functions; ours is /api/v1.
        "/gradio_api/info": _CLOSED,
        "/gradio_api/info/": _CLOSED,
        "/openapi.json": _CLOSED,
        "/gradio_api/openapi.json": _CLOSED,
        "/gradio_api/api/{api_name}": _CLOSED,
        "/gradio_api/api/{api_name}/": _CLOSED,
        "/gradio_api/run/{api_name}/": _CLOSED,
        "/gradio_api/call/{api_name}": _CLOSED,
        "/gradio_api/call/{api_name}/": _CLOSED,
        "/gradio_api/call/{api_name}/{event_id}": _CLOSED,
        "/gradio_api/call/v2/{api_name}": _CLOSED,
        "/gradio_api/call/v2/{api_name}/": _CLOSED,
        "/gradio_api/call/v2/{api_name}/{event_id}": _CLOSED,
        "/gradio_api/queue/status": _CLOSED,
        # Fetches from other servers, or sends to them.
        "/gradio_api/proxy={url_path:path}": _CLOSED,
        "/gradio_api/runs": _CLOSED,
        "/gradio_api/runs/": _CLOSED,
        "/gradio_api/vibe-edit": _CLOSED,
        "/gradio_api/vibe-edit/": _CLOSED,
        "/gradio_api/undo-vibe-edit": _CLOSED,
        "/gradio_api/undo-vibe-edit/": _CLOSED,
        "/gradio_api/vibe-code": _CLOSED,
        "/gradio_api/vibe-code/": _CLOSED,
        "/gradio_api/vibe-starter-queries": _CLOSED,
        "/gradio_api/vibe-starter-queries/": _CLOSED,
        # For developers, for sharing, and for component kinds that the page does not have.
        "/gradio_api/startup-events": _CLOSED,
        "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}": _CLOSED,
        "/gradio_api/deep_link": _CLOSED,
        "/gradio_api/dev/reload": _CLOSED,
        "/gradio_api/file/{path:path}": _CLOSED,
        "/gradio_api/process_recording": _CLOSED,
        "/gradio_api/stream/{event_id}": _CLOSED,
        "/gradio_api/stream/{event_id}/close": _CLOSED,
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file": _CLOSED,
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8": _CLOSED,
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}": _CLOSED,
        "/monitoring": _CLOSED,
        "/monitoring/summary": _CLOSED,
        "/monitoring/{key}": _CLOSED,
    }
)
