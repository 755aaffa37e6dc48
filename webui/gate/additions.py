"""Routes that are added while the server runs, by extensions: each with a role.

They are looked for after all that the studio serves itself, so none of that can be shadowed. What
they answer gets the gate's headers and policy like everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import RouteContext
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from webui.core.errors import GessoError, InvalidRequest, NotFound, NotPermitted
from webui.core.person import Role
from webui.gate.access import UPLOAD_BYTES, Access, Rule, declared_rule
from webui.gate.audit import WEBSOCKET, Decision, Table, sample, walk
from webui.gate.refusal import Refusal, send_refusal

log = logging.getLogger(__name__)

PREFIX: Final = "/ext"
_ACCESS: Final[Mapping[Role, Access]] = MappingProxyType(
    {Role.VIEWER: Access.PERSON, Role.ARTIST: Access.ARTIST, Role.OWNER: Access.OWNER}
)
_BROKEN: Final = HTTPStatus.INTERNAL_SERVER_ERROR
_FAILED: Final = "An extension failed at this. The terminal of the studio says why."
_STATUSES: Final[tuple[tuple[type[GessoError], HTTPStatus], ...]] = (
    (InvalidRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotPermitted, HTTPStatus.FORBIDDEN),
)


class RefusedRoute(GessoError):
    """A route of an extension that can't be served; the text names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Addition:
    """What one extension serves below `prefix`; "" for a part that has addresses of its own."""

    name: str
    app: FastAPI
    prefix: str
    decisions: tuple[Decision, ...]


def add_router(id: str, routers: Iterable[tuple[object, object]]) -> Addition:
    """The routers of an extension below /ext/<id>/, each with the role that is asked for.

    Raises RefusedRoute for what is no router, has no role or tries to be open to everyone.
    """
    prefix, app = f"{PREFIX}/{id}", bare_app()
    decisions: list[Decision] = []
    for router, role in routers:
        if not isinstance(router, APIRouter):
            raise RefusedRoute(
                f"“{id}” registers a {type(router).__name__} as routes. Give a fastapi.APIRouter."
            )
        if not isinstance(role, Role):
            raise RefusedRoute(
                f"“{id}” registers routes for “{role}”, which is no role. Give Role.VIEWER, "
                "Role.ARTIST or Role.OWNER."
            )
        part = bare_app()
        part.include_router(router)
        app.include_router(router)
        decisions += _decided(part.routes, prefix, role, id)
    return Addition(name=id, app=app, prefix=prefix, decisions=tuple(decisions))


def add_app(name: str, app: FastAPI, own: Table) -> tuple[Addition, list[str]]:
    """An application with addresses of its own, for the owner where a route says nothing else; and
    why routes of it were left out: such as would stand before one of `own`, or be open."""
    decisions: list[Decision] = []
    kept, why = [], []
    for route in app.router.routes:
        try:
            found = _decided([route], "", Role.OWNER, name)
            for decision in found:
                _check_shadow(decision, own, name)
        except RefusedRoute as error:
            why.append(str(error))
        else:
            kept.append(route)
            decisions += found
    app.router.routes[:] = kept
    return Addition(name=name, app=app, prefix="", decisions=tuple(decisions)), why


@dataclass(frozen=True)
class _Set:
    """What is added just now."""

    table: Table = field(default_factory=lambda: Table(()))
    router: Router = field(default_factory=Router)


class Additions:
    """An ASGI application of all that is added. A set is changed for another as a whole."""

    def __init__(self) -> None:
        self._now = _Set()

    @property
    def table(self) -> Table:
        """The decisions on all routes."""
        return self._now.table

    def use(self, additions: Sequence[Addition]) -> None:
        """Serve these and no others from now on. May be called from any thread."""
        decisions = [decision for addition in additions for decision in addition.decisions]
        routes = [Mount(each.prefix, _Guarded(each)) for each in additions]
        self._now = _Set(Table(decisions), Router(routes))

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for one of them."""
        return self.table.find(scope.get("method", WEBSOCKET), scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        await self._now.router(scope, receive, send)


class _Guarded:
    """What an addition raises ends here, with an answer and a name."""

    def __init__(self, addition: Addition) -> None:
        self._addition = addition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def begin(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._addition.app(scope, receive, begin)
        except Exception:
            log.exception("“%s” failed at %s.", self._addition.name, scope["path"])
            if not has_begun:
                await send_refusal(Refusal(status=_BROKEN, message=_FAILED), scope, send)


def bare_app() -> FastAPI:
    """An application without pages of its own that answers errors in our words."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(GessoError, _say)
    app.add_exception_handler(Exception, _say)
    return app


def _say(_: Request, error: Exception) -> JSONResponse:
    field = error.field if isinstance(error, InvalidRequest) else None
    status = next((s for kind, s in _STATUSES if isinstance(error, kind)), _BROKEN)
    message = str(error) if isinstance(error, GessoError) else _FAILED
    if isinstance(error, InvalidRequest):
        message = error.message
    return JSONResponse({"error": {"field": field, "message": message}}, status)


def _decided(routes: Sequence[BaseRoute], prefix: str, role: Role, name: str) -> list[Decision]:
    """A decision on each route. Raises RefusedRoute."""
    return [_decision(path, route, role, name) for path, route in walk(routes, prefix)]


def _decision(path: str, route: RouteContext, role: Role, name: str) -> Decision:
    original = route.original_route
    if isinstance(original, Host) or not isinstance(original, Route | WebSocketRoute | Mount):
        raise RefusedRoute(
            f"“{name}” adds {path or 'a route'}, a {type(original).__name__}, of which nobody can "
            "tell what it answers. Use plain routes."
        )
    rule = _rule(declared_rule(route.endpoint), role)
    if rule is None:
        raise RefusedRoute(
            f"“{name}” wants {path} to be open to everyone. Routes of extensions are for viewers, "
            "artists or the owner."
        )
    if isinstance(original, Mount):  # it answers all below its path, in a way of its own
        path, methods = f"{path}/{{path:path}}", frozenset[str]()
    elif isinstance(original, WebSocketRoute):
        methods = frozenset({WEBSOCKET})
    else:
        methods = frozenset(route.methods or ())
    return Decision(path=path, methods=methods, name=route.name or "", rule=rule)


def _rule(declared: Rule | None, role: Role) -> Rule | None:
    """The rule of a route: its own role if it names one. None for what may not be."""
    if declared is None:
        return Rule(access=_ACCESS[role], max_body_bytes=UPLOAD_BYTES)
    if declared.access not in _ACCESS.values():
        return None
    return Rule(
        access=declared.access,
        max_body_bytes=min(declared.max_body_bytes, UPLOAD_BYTES),
        is_stream=declared.is_stream,
        serves_uploads=declared.serves_uploads,
        may_be_framed=declared.may_be_framed,
    )


def _check_shadow(decision: Decision, own: Table, name: str) -> None:
    """Raises RefusedRoute for a route that answers where the studio does."""
    hidden = next((path for path in _samples(decision, own) if own.knows(path)), None)
    if hidden is not None:
        raise RefusedRoute(
            f"“{name}” adds {decision.path}, which would stand before the studio's own {hidden}. "
            "Choose another address."
        )


def _samples(decision: Decision, own: Table) -> Iterator[str]:
    """Addresses that the route answers: one made up, and those of the studio."""
    yield sample(decision.path)
    one = Table((decision,))
    yield from (path for path in own.samples if one.knows(path))
