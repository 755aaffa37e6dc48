"""A1111's API: options, and what the server was started with."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from webui.api.context import the_caller, the_studio
from webui.api.routes.sdapi_generation import ignored_header
from webui.api.sdapi import lists
from webui.api.sdapi.desk import Desk, the_desk
from webui.api.sdapi.fields import read_object
from webui.api.sdapi.options import CHECKPOINT, check_permitted, read_options, show_options
from webui.api.sdapi.router import SdapiRouter
from webui.core.person import Caller, Role
from webui.gate.access import MIB, Access, needs
from webui.studio import Studio

log = logging.getLogger(__name__)

ROUTER = SdapiRouter()

SETTING: Final = "checkpoint"


@ROUTER.get("/options")
@needs(Access.PERSON)
def show(request: Request) -> dict[str, Any]:
    """All options, as they are for the caller."""
    own = the_desk(request).options(the_caller(request).id)
    return show_options(the_studio(request), own)


@ROUTER.post("/options")
@needs(Access.ARTIST, max_body_bytes=MIB)
async def change(request: Request) -> Response:
    """Change some options; what is not known is passed over and named in a header."""
    async with the_desk(request).room.body(request) as body:
        unknown = await run_in_threadpool(
            _change, the_studio(request), the_desk(request), the_caller(request), body
        )
    return Response("null", media_type="application/json", headers=ignored_header(unknown))


@ROUTER.get("/cmd-flags")
@needs(Access.PERSON)
def show_flags() -> dict[str, Any]:
    """What A1111's flags would be that programs look at. No path, no secret."""
    return {
        "api": True,
        "nowebui": False,
        "api_log": False,
        "api_server_stop": False,
        "share": False,
        "gradio_auth": None,
        "api_auth": None,
        "freeze_settings": False,
        "hide_ui_dir_config": True,
        "allow_code": False,
        "enable_insecure_extension_access": False,
    }


@ROUTER.get("/memory")
@needs(Access.PERSON)
def show_memory() -> dict[str, Any]:
    """The memory of the machine."""
    return lists.memory()


def _change(studio: Studio, desk: Desk, caller: Caller, body: bytes) -> list[str]:
    """The options that mean nothing here. The owner chooses the checkpoint for all, others for
    themselves."""
    is_owner = caller.role.covers(Role.OWNER)
    found = read_options(studio, read_object(body), desk.options(caller.id))
    check_permitted(found, is_owner=is_owner)
    own, settings = dict(found.own), dict(found.settings)
    if is_owner and CHECKPOINT in own and SETTING not in studio.settings.fixed:
        settings[SETTING] = own[CHECKPOINT]
        own[CHECKPOINT] = None
    if settings:
        studio.settings.update(settings)
    desk.remember(caller.id, own)
    if found.unknown:
        log.debug("Options without a meaning here: %s.", ", ".join(found.unknown))
    return list(found.unknown)
