"""The model list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request

from webui.api.context import the_person, the_studio
from webui.api.views import ModelView, model_view
from webui.core.model import ModelKind
from webui.gate.access import Access, needs

PATIENCE_S: Final = 20.0

ROUTER = APIRouter(prefix="/api/v1/models", tags=["models"])


@dataclass(frozen=True, kw_only=True)
class Released:
    """What became of a wish to free memory."""

    is_released: bool
    """False while jobs of others run or wait, for whom models would have to be loaded again."""


@ROUTER.get("")
@needs(Access.PERSON)
def list_models(request: Request, kind: ModelKind = ModelKind.CHECKPOINT) -> list[ModelView]:
    """All models of a kind that can be used; checkpoints if none is named."""
    return [model_view(model) for model in the_studio(request).catalog.models(kind)]


@ROUTER.post("/refresh")
@needs(Access.OWNER)
def refresh_models(request: Request) -> list[ModelView]:
    """Look again at what lies in the folders of models; the checkpoints. Those that need longer to
    be recognised come later."""
    the_studio(request).catalog.refresh_soon(PATIENCE_S)
    return list_models(request)


@ROUTER.post("/release")
@needs(Access.ARTIST)
def release_models(request: Request) -> Released:
    """Free the memory that models take, as soon as no picture is being made: other programs may
    want it. The next job loads its model again."""
    queue = the_studio(request).queue
    return Released(is_released=queue.release_models(the_person(request)))
