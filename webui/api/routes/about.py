"""The server itself: whether it is up, and what its API looks like."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from webui.gate.access import Access, needs

ROUTER = APIRouter(tags=["about"])


@ROUTER.get("/health")
@needs(Access.OPEN)
def read_health() -> dict[str, str]:
    """Whether the server answers; says nothing about the engines."""
    return {"status": "ok"}


@ROUTER.get("/api/v1/openapi.json", include_in_schema=False)
@needs(Access.PERSON)
def describe_api(request: Request) -> JSONResponse:
    """The description of this API for programs."""
    description: dict[str, Any] = request.app.openapi()
    return JSONResponse(description)
