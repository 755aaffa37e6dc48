"""The models, in the list that OpenAI's clients ask for."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request

from webui.api.context import the_studio
from webui.api.openai.answers import OpenAIModel, OpenAIModels, model_answer
from webui.api.openai.errors import OpenAIRoute
from webui.api.openai.painting import checkpoint
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/v1/models", tags=["openai"], route_class=OpenAIRoute)


@ROUTER.get("")
@needs(Access.PERSON)
def list_openai_models(request: Request) -> OpenAIModels:
    """The checkpoints."""
    return OpenAIModels(
        data=[model_answer(model) for model in the_studio(request).catalog.models()]
    )


@ROUTER.get("/{id:path}")
@needs(Access.PERSON)
def read_openai_model(request: Request, id: str) -> OpenAIModel:
    """One checkpoint by its id, name or hash; a name of OpenAI's stands for the chosen one."""
    studio = the_studio(request)
    found = checkpoint(studio, id)
    if found is None:
        return OpenAIModel(id=id, created=int(time.time()), owned_by="gesso")
    return model_answer(studio.catalog.get(found))
