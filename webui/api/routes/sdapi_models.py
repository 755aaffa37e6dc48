"""A1111's API: looking for models again, freeing their memory; and what is not done here."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import Request

from webui.api.context import the_person, the_studio
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
@needs(Access.ARTIST)
def unload(request: Request) -> dict[str, Any]:
    """Give back the memory of models once no batch is at work. Nothing happens while jobs of others
    run or wait."""
    the_studio(request).queue.release_models(the_person(request))
    return {}


@ROUTER.post("/reload-checkpoint")
@needs(Access.ARTIST)
def reload(request: Request) -> dict[str, Any]:
    """Get ready for the chosen checkpoint; its weights come with the next job."""
    studio = the_studio(request)
    studio.dispatcher.expect(studio.current_model())
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
