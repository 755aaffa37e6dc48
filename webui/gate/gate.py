"""The gate: one ASGI application in front of everything, Gradio's routes and websockets included.

It decides by host, origin, rule of the route, body size and open streams, and it puts the
security headers on every answer. It knows nothing of jobs, pictures or pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from webui.core.person import CALLER, Role
from webui.gate.access import Access, Rule
from webui.gate.audit import WEBSOCKET, Table
from webui.gate.body import LimitedBody, check_length
from webui.gate.doorkeeper import Doorkeeper, OpenHouse
from webui.gate.headers import Headers, without_proxy_headers
from webui.gate.origin import LOOPBACK_NAMES, check_origin, read_host
from webui.gate.refusal import Refusal, send_refusal
from webui.gate.streams import Streams

_BAD_PATH: Final = Refusal(
    status=HTTPStatus.BAD_REQUEST, message="This is not an address that can be asked for."
)
_SIGN_IN: Final = Refusal(
    status=HTTPStatus.UNAUTHORIZED,
    message="Nobody is signed in here, or not any more. Open this studio's page and sign in.",
)
_NO_ROUTE: Final = Rule(access=Access.CLOSED)
_PAGE_SCHEME: Final[Mapping[str, str]] = MappingProxyType({"ws": "http", "wss": "https"})
"""Origin names the page's scheme, also for a websocket that it opens."""


class Gate:
    """Lets the requests through to `app` that pass all checks, and answers the others itself."""

    def __init__(
        self,
        app: ASGIApp,
        table: Table,
        *,
        names: Collection[str] = LOOPBACK_NAMES,
        streams: Streams | None = None,
        doorkeeper: Doorkeeper | None = None,
    ) -> None:
        """`names` are those the server answers to; `table` decides on every route of `app`;
        `doorkeeper` tells who asks, by default that everyone is the owner."""
        self._app = app
        self._table = table
        self._names = frozenset(names)
        self._doorkeeper: Final[Doorkeeper] = doorkeeper or OpenHouse()
        self.streams: Final = streams or Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        verdict = self._judge(scope)
        if isinstance(verdict, Rule):
            verdict = await self._admit(verdict, scope)
        serves_uploads = isinstance(verdict, Rule) and verdict.serves_uploads
        if scope["type"] == "http":
            send = Headers(send, serves_uploads=serves_uploads)
        if isinstance(verdict, Refusal):
            await send_refusal(verdict, scope, send)
        else:
            await self._pass(verdict, scope, receive, send)

    def _judge(self, scope: Scope) -> Rule | Refusal:
        """The rule that holds for a request, or why it goes no further."""
        path, headers = scope["path"], scope["headers"]
        if not path.startswith("/") or not path.isprintable():
            return _BAD_PATH
        own = read_host(headers, self._names, (scope.get("server") or ("", 0))[1])
        if isinstance(own, Refusal):
            return own
        method = scope.get("method", WEBSOCKET)
        # The origin is checked for closed and unknown routes too: another site learns nothing.
        rule = self._table.find(method, path) or _NO_ROUTE
        scheme: str = _PAGE_SCHEME.get(scope["scheme"], scope["scheme"])
        refusal = check_origin(method, path, headers, own, scheme, rule)
        if refusal is None and rule.access is Access.CLOSED:
            return _nothing_here(self._table.methods(path))
        if refusal is None and _is_remote_file(rule, path):
            return _nothing_here(frozenset())
        return refusal or check_length(headers, rule.max_body_bytes) or rule

    async def _admit(self, rule: Rule, scope: Scope) -> Rule | Refusal:
        """The rule, if whoever asks may use the route; `scope` then says who that is."""
        if rule.access is Access.OPEN:
            return rule
        caller = await self._doorkeeper.recognise(scope)
        if caller is None:
            return _SIGN_IN
        if isinstance(caller, Refusal):
            return caller
        if not caller.role.covers(rule.access.role):
            return _not_for(caller.role)
        scope[CALLER] = caller
        return rule

    async def _pass(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "headers": _headers_for(rule, scope)}
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        body = LimitedBody(scope, receive, send, rule.max_body_bytes)
        try:
            if rule.is_stream:
                await self.streams.run(self._app, scope, body.receive, body.send)
            else:
                await self._app(scope, body.receive, body.send)
        except ClientDisconnect:
            if not body.was_refused:
                raise


def _headers_for(rule: Rule, scope: Scope) -> list[tuple[bytes, bytes]]:
    """The request headers that the application sees."""
    headers = without_proxy_headers(scope["headers"])
    if rule.is_page:  # the hashes are taken of the page as it is, not compressed
        headers = [header for header in headers if header[0] != b"accept-encoding"]
    return headers


def _not_for(role: Role) -> Refusal:
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        message=f"This is not for a {role.value}. Ask the owner of this studio to do it, or to "
        "give you another role.",
    )


def _nothing_here(methods: frozenset[str]) -> Refusal:
    """The answer where no open route takes this method; `methods` are those that would do."""
    if not methods:
        return Refusal(status=HTTPStatus.NOT_FOUND, message="There is nothing at this address.")
    allowed = tuple(sorted(methods))
    return Refusal(
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        message=f"This address takes {' and '.join(allowed)} only.",
        allowed=allowed,
    )


def _is_remote_file(rule: Rule, path: str) -> bool:
    """Whether Gradio would fetch the file from another server: /gradio_api/file=https://..."""
    return rule.serves_uploads and "://" in path
