"""The pages before the studio: signing in, taking up an invitation, the first owner's account.

Nothing that anyone typed is in them; their scripts ask the API for the rest.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from webui.api.context import the_studio
from webui.api.routes.session import may_begin
from webui.gate.access import Access, needs

ROUTER = APIRouter(include_in_schema=False)
PAGES: Final = Path(__file__).resolve().parent.parent / "pages"


@ROUTER.get("/sign-in")
@ROUTER.head("/sign-in")
@needs(Access.OPEN, is_page=True)
def show_sign_in(request: Request) -> Response:
    """Where people sign in; `next` in the query is where they go on to, on this server only."""
    return _page(request, "sign_in.html")


@ROUTER.get("/join/{token}")
@ROUTER.head("/join/{token}")
@needs(Access.OPEN, is_page=True)
def show_join(request: Request, token: str) -> Response:
    """Where an invitation is taken up. The same for every token: only the API tells them apart."""
    return _page(request, "join.html")


@ROUTER.get("/first-run")
@ROUTER.head("/first-run")
@needs(Access.OPEN, is_page=True)
def show_first_run(request: Request) -> Response:
    """Where the first owner makes their account. Elsewhere, and later, people sign in."""
    if not may_begin(request):
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    return _page(request, "first_run.html")


def _page(request: Request, name: str) -> Response:
    html = (PAGES / name).read_text("utf-8")
    theme = the_studio(request).settings.current.theme
    marks = f' data-theme="{theme}"' + (" data-begin" if may_begin(request) else "")
    html = html.replace('<html lang="en">', f'<html lang="en"{marks}>', 1)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})
