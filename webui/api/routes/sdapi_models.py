"""A1111's API: looking for models again; and what it does to models that is not done here."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import Request

from webui.api.context import the_studio
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.router import SdapiRouter
from webui.gate.access import Access, needs

ROUTER = SdapiRouter()

PATIENCE_S: Final = 20.0


@ROUTER.post("/refresh-checkpoints")
@ROUTER.post("/refresh-vae")
@ROUTER.post("/refresh-loras")
@ROUTER.post("/refresh-embeddings")
@needs(Access.ARTIST)
def look_again(request: Request) -> None:
    """Look again at what lies in the folders of models. Many who ask at once wait for one look."""
    the_studio(request).catalog.refresh_soon(PATIENCE_S)


@ROUTER.post("/unload-checkpoint")
@ROUTER.post("/reload-checkpoint")
@needs(Access.ARTIST)
def leave_loaded() -> dict[str, Any]:
    """Nothing: the engine itself decides what it holds, and others may be at work with it."""
    return {}


@ROUTER.post("/create/embedding")
@ROUTER.post("/create/hypernetwork")
@ROUTER.post("/train/embedding")
@ROUTER.post("/train/hypernetwork")
@needs(Access.ARTIST)
def refuse_training() -> None:
    """There is no training here."""
    raise Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Nothing can be trained here. Train elsewhere and put the file into the models folder.",
    )
