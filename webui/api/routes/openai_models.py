"""The models, in the list that OpenAI's clients ask for."""

from __future__ import annotations

import time
from http import HTTPStatus

from fastapi import APIRouter, Request

from webui.api.context import the_studio
from webui.api.openai.answers import OpenAIModel, OpenAIModels, model_answer
from webui.api.openai.errors import OpenAIRoute, no_model
from webui.api.openai.painting import checkpoint
from webui.core.errors import InvalidRequest
from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/v1/models", tags=["openai"], route_class=OpenAIRoute)


@ROUTER.get("")
@ROUTER.get("/", include_in_schema=False)
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
    try:
        found = checkpoint(studio, id)
    except InvalidRequest as error:
        raise no_model(error, HTTPStatus.NOT_FOUND) from error
    if found is None:
        return OpenAIModel(id=id, created=int(time.time()), owned_by="gesso")
    return model_answer(studio.catalog.get(found))
