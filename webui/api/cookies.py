"""The cookie that holds a session's token: its name, how it is set, how it is read."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from webui.people.account import SESSION_S

NAME: Final = "gesso_session"
SECURE_NAME: Final = "__Host-gesso_session"
"""Browsers take a cookie of such a name only over TLS and from this very host: another server on
a neighbouring name can't plant one."""


def is_secure(scope: Scope) -> bool:
    """Whether a request came over TLS, as the gate tells."""
    return scope["scheme"] in ("https", "wss")


def session_token(scope: Scope, *, is_tls: bool = False) -> str:
    """The token that a request shows; "" when it shows none."""
    name = SECURE_NAME if is_tls or is_secure(scope) else NAME
    shown = [value for key, value in scope["headers"] if key == b"cookie"]
    for pair in b";".join(shown).decode("latin-1").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""


def set_session(response: Response, scope: Scope, token: str) -> None:
    """Give the browser its token, or the same one for another week. An empty one takes it away."""
    secure = is_secure(scope)
    response.set_cookie(
        SECURE_NAME if secure else NAME,
        token,
        max_age=int(SESSION_S) if token else 0,
        path="/",
        httponly=True,
        samesite="strict",
        secure=secure,
    )
