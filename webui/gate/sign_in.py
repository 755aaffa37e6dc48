"""Where people are sent who open a page and are not signed in."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from webui.gate.refusal import Refusal

SIGN_IN: Final = "/sign-in"


def to_sign_in(scope: Scope) -> Refusal:
    """On to the sign-in page, and back from there."""
    target = f"{SIGN_IN}?next={quote(_asked_for(scope), safe='')}"
    return Refusal(
        status=HTTPStatus.SEE_OTHER,
        message="Sign in first.",
        headers=((b"location", target.encode("ascii")), (b"cache-control", b"no-store")),
    )


def come_in_again(scope: Scope) -> Refusal:
    """A page that opens the same address anew. To the browser it is this site then that asks, and
    no longer the one whose link was followed; it shows the cookie if it has one."""
    target = html.escape(_asked_for(scope), quote=True)
    return Refusal(
        status=HTTPStatus.OK,
        message=f'<!doctype html><meta http-equiv="refresh" content="0;url={target}">'
        f'<title>Gesso</title><p><a href="{target}">Go on to Gesso</a>',
        headers=((b"cache-control", b"no-store"),),
        is_page=True,
    )


def _asked_for(scope: Scope) -> str:
    """The address on this server that was asked for, as the browser wrote it."""
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    asked = (path + (b"?" + query if query else b"")).decode("latin-1")
    # "//name" and "/\\name" are other sites to a browser.
    is_local = asked.startswith("/") and asked[1:2] not in ("/", "\\")
    return quote(asked, safe="/?&=%:@!$'()*+,;~.-_") if is_local else "/"
