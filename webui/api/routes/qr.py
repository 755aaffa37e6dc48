"""QR codes of links, so that a phone need not be typed on."""

from __future__ import annotations

import io
from typing import Annotated

import segno
from fastapi import APIRouter, Query, Request, Response

from webui.gate.access import Access, needs

ROUTER = APIRouter(prefix="/api/v1", tags=["people"])


@ROUTER.get("/qr", response_class=Response)
@needs(Access.PERSON)
def draw_qr_code(request: Request, text: Annotated[str, Query(max_length=500)]) -> Response:
    """A text as a QR code: PNG, black on white with the quiet zone that readers need."""
    drawn = io.BytesIO()
    segno.make_qr(text).save(drawn, kind="png", scale=6)
    headers = {"Cache-Control": "no-store"}
    return Response(drawn.getvalue(), media_type="image/png", headers=headers)
