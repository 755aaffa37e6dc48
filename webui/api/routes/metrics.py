"""Figures for whoever watches over the server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from webui.api.context import the_studio
from webui.gate.access import Access, needs

ROUTER = APIRouter(tags=["about"])


@ROUTER.get("/metrics", response_class=Response)
@needs(Access.OWNER)
def read_metrics(request: Request) -> Response:
    """Figures for Prometheus. It asks with a key of the owner's: `Authorization: Bearer …`."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    from webui.api.metrics import metrics_text

    return Response(metrics_text(the_studio(request)), media_type=CONTENT_TYPE_LATEST)
