"""The gate: one ASGI application in front of everything, Gradio's routes and websockets included.

It decides by host, origin, rule of the route, who asks, body size and open streams, and it puts
the security headers on every answer. It knows nothing of jobs, pictures or pages.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.core.person import CALLER, Caller, Role
from webui.gate.access import Access, Rule
from webui.gate.additions import Additions
from webui.gate.audit import WEBSOCKET, Table
from webui.gate.body import Arrivals, LimitedBody, check_length
from webui.gate.doorkeeper import Doorkeeper, OpenHouse
from webui.gate.headers import STRICT_TRANSPORT, Headers
from webui.gate.names import Names
from webui.gate.origin import check_origin, comes_from_elsewhere, read_host, values
from webui.gate.proxies import Proxies, comes_by_proxy
from webui.gate.refusal import Refusal, send_refusal
from webui.gate.sign_in import come_in_again, to_sign_in
from webui.gate.streams import Streams, Welcome

_BAD_PATH: Final = Refusal(
    status=HTTPStatus.BAD_REQUEST, message="This is not an address that can be asked for."
)
_SIGN_IN: Final = Refusal(
    status=HTTPStatus.UNAUTHORIZED,
    message="Nobody is signed in here, or not any more. Open this studio's page and sign in; "
    "programs send an API key.",
)
_NOT_BY_PROXY: Final = Refusal(
    status=HTTPStatus.FORBIDDEN,
    message="This studio has no owner yet. Make one on the machine itself, not through a proxy: "
    "open http://localhost with the studio's port there, or run “python launch.py owner NAME”.",
)
LATE_S: Final = 2.0
"""An answer that took longer was waited for."""
WAITING_METHODS: Final = ("GET", "POST")
"""Others end things, one's own credential among them, and say that they did."""
MOST_OF_A_NAME: Final = 255
MOST_OF_A_PATH: Final = 2048
_NO_ROUTE: Final = Rule(access=Access.CLOSED)
_PAGE_SCHEMES: Final = (("ws", "http"), ("wss", "https"))
"""Origin names the page's scheme, also for a websocket that it opens."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a gate stands: how others reach it, and who tells it who they are. As it is made, it
    is the gate of a server that only this machine reaches."""

    names: Names = field(default_factory=Names)
    doorkeeper: Doorkeeper = field(default_factory=OpenHouse)
    proxies: Proxies = field(default_factory=Proxies)
    is_strict: bool = False
    """Whether browsers are told to come by TLS from now on."""


class Gate:
    """Lets the requests through to `app` that pass all checks, and answers the others itself."""

    def __init__(
        self,
        app: ASGIApp,
        table: Table,
        surroundings: Surroundings | None = None,
        streams: Streams | None = None,
        arrivals: Arrivals | None = None,
        additions: Additions | None = None,
    ) -> None:
        """`table` decides on every route of `app` but those of `additions`, which come and go."""
        self._app = app
        self._table = table
        self._additions = additions or Additions()
        self._surroundings: Final = surroundings or Surroundings()
        self.streams: Final = streams or Streams()
        self._arrivals: Final = arrivals or Arrivals()
        self._only_loopback: Names | None = None

    @property
    def surroundings(self) -> Surroundings:
        """Where it stands."""
        return self._surroundings

    def keep_to_loopback(self, is_kept: bool) -> None:
        """Answer to loopback's names alone, and to no proxy: while there is no owner yet."""
        self._only_loopback = Names() if is_kept else None

    def close(self) -> None:
        """Let nobody wait for an answer any longer, and end the streams: the server ends."""
        self._surroundings.doorkeeper.close()
        self.streams.close()

    def end_streams(self, credential: str) -> None:
        """End the streams and websockets that were opened with a credential, because it was
        revoked. May be called from any thread."""
        self.streams.end(credential)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        verdict: Rule | Refusal = _NOT_BY_PROXY
        if self._only_loopback is None or not comes_by_proxy(scope):
            scope = self._surroundings.proxies.see_through(scope)
            verdict = self._judge(scope)
        if isinstance(verdict, Rule):
            verdict = await self._admit(verdict, scope)
        if scope["type"] == "http":
            send = self._with_headers(verdict, scope, send)
        if isinstance(verdict, Refusal):
            await send_refusal(verdict, scope, send)
        else:
            await self._pass(verdict, scope, receive, send)

    def _judge(self, scope: Scope) -> Rule | Refusal:
        """The rule that holds for a request, or why it goes no further."""
        path, headers = scope["path"], scope["headers"]
        if not path.startswith("/") or not path.isprintable() or _is_too_long(path):
            return _BAD_PATH
        scheme = _page_scheme(scope)
        names = self._only_loopback or self._surroundings.names
        own = read_host(headers, scheme, (scope.get("server") or ("", 0))[1], names)
        if isinstance(own, Refusal):
            return own
        method = scope.get("method", WEBSOCKET)
        # The origin is checked for closed and unknown routes too: another site learns nothing.
        rule = self._rule(method, path)
        refusal = check_origin(method, path, headers, own, scheme, rule)
        if refusal is None and rule.access is Access.CLOSED:
            others = frozenset() if method == WEBSOCKET else self._methods(path)
            return _nothing_here(others)
        if refusal is None and _is_remote_file(rule, path):
            return _nothing_here(frozenset())
        return refusal or check_length(headers, rule.max_body_bytes) or rule

    def _rule(self, method: str, path: str) -> Rule:
        rule = self._table.find(method, path)
        if rule is None and not self._table.knows(path):
            rule = self._additions.table.find(method, path)
        return rule or _NO_ROUTE

    def _methods(self, path: str) -> frozenset[str]:
        table = self._table if self._table.knows(path) else self._additions.table
        return table.methods(path)

    async def _admit(self, rule: Rule, scope: Scope) -> Rule | Refusal:
        """The rule, if whoever asks may use the route; `scope` then says who that is."""
        scope[CALLER] = None
        if rule.access is Access.OPEN:
            if rule.knows_caller:
                scope[CALLER] = await self._guest(scope)
            late = rule.tries_password and self._surroundings.doorkeeper.turn_away(scope)
            return await late if late else rule
        caller = await self._surroundings.doorkeeper.recognise(scope)
        if caller is None:
            return _no_entry(rule, scope)
        if isinstance(caller, Refusal):
            return caller
        if not caller.role.covers(rule.access.role):
            return _not_for(caller.role)
        scope[CALLER] = caller
        return rule

    async def _guest(self, scope: Scope) -> Caller | None:
        """Who asks for what is open to everyone. Only a cookie is looked at: passwords are tried
        where one is needed, or an open route would be a place to guess them unseen."""
        if not values(scope["headers"], b"cookie"):
            is_open_house = isinstance(self._surroundings.doorkeeper, OpenHouse)
            return await OpenHouse().recognise(scope) if is_open_house else None
        kept = [header for header in scope["headers"] if header[0] not in _OTHER_CREDENTIALS]
        caller = await self._surroundings.doorkeeper.recognise({**scope, "headers": kept})
        return caller if isinstance(caller, Caller) else None

    async def _pass(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "headers": _headers_for(rule, scope)}

        async def is_welcome() -> bool:
            return isinstance(await self._admit(rule, {**scope}), Rule)

        if scope["type"] == "websocket":
            await self.streams.run(self._app, scope, receive, send, is_welcome)
            return
        late = LateAnswer(send, scope, is_welcome)
        body = LimitedBody(scope, receive, late, rule.max_body_bytes, self._arrivals)
        try:
            if rule.is_stream:
                await self.streams.run(self._app, scope, body.receive, body.send, is_welcome)
            else:
                await self._app(scope, body.receive, body.send)
        except ClientDisconnect:
            if not body.was_refused:
                raise
        finally:
            body.let_go()

    def _with_headers(self, verdict: Rule | Refusal, scope: Scope, send: Send) -> Headers:
        is_strict = self._surroundings.is_strict and scope["scheme"] == "https"
        return Headers(
            send,
            serves_uploads=isinstance(verdict, Rule) and verdict.serves_uploads,
            may_be_framed=isinstance(verdict, Rule) and verdict.may_be_framed,
            more=(STRICT_TRANSPORT,) if is_strict else (),
        )


class LateAnswer:
    """Asks once more who waits, before an answer goes out that took its time: their credential may
    have been revoked meanwhile."""

    def __init__(self, send: Send, scope: Scope, is_welcome: Welcome) -> None:
        self._send, self._scope, self._is_welcome = send, scope, is_welcome
        self._begun: Final = time.monotonic()
        self._is_refused = False

    async def __call__(self, message: Message) -> None:
        """The `send` of the application behind; what it says after a refusal is dropped."""
        is_late = (
            message["type"] == "http.response.start"
            and self._scope["method"] in WAITING_METHODS
            and time.monotonic() - self._begun > LATE_S
        )
        if is_late and not await self._is_welcome():
            self._is_refused = True
            await send_refusal(_SIGN_IN, self._scope, self._send)
        elif not self._is_refused:
            await self._send(message)


_OTHER_CREDENTIALS: Final = (b"authorization", b"x-api-key")


def _is_too_long(path: str) -> bool:
    """Whether no file system has such a path: a library behind might ask one all the same."""
    if len(path) <= MOST_OF_A_NAME // 4:  # no character takes more than four bytes
        return False
    data = path.encode("utf-8", "replace")
    return len(data) > MOST_OF_A_PATH or max(map(len, data.split(b"/"))) > MOST_OF_A_NAME


def _page_scheme(scope: Scope) -> str:
    scheme: str = scope["scheme"]
    return dict(_PAGE_SCHEMES).get(scheme, scheme)


def _no_entry(rule: Rule, scope: Scope) -> Refusal:
    """What somebody is told who is not signed in."""
    if not rule.is_page or scope.get("method") not in ("GET", "HEAD"):
        return _SIGN_IN
    # After a link from elsewhere browsers leave the cookie out, even if somebody is signed in.
    is_from_elsewhere = comes_from_elsewhere(scope["headers"])
    return come_in_again(scope) if is_from_elsewhere else to_sign_in(scope)


def _headers_for(rule: Rule, scope: Scope) -> list[tuple[bytes, bytes]]:
    """The request headers that the application sees."""
    headers = scope["headers"]
    if rule.is_page:  # the hashes are taken of the page as it is, not compressed
        headers = [header for header in headers if header[0] != b"accept-encoding"]
    return list(headers)


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
