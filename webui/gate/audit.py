"""The list of every route of the finished application, each with the rule it was given.

A route without a rule stops the start. The gate lets a request through only to a route that was
listed here, so a route that is added behind its back later does not exist for the outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp

from webui.core.errors import GessoError
from webui.gate.access import Access, Rule, declared_rule

WEBSOCKET: Final = "WEBSOCKET"
"""Stands where the method would be in the decision on a websocket route."""
_PARAMETER: Final = re.compile(r"\{\w+(?::(\w+))?\}")
_SAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {"path": "x/x", "int": "1", "float": "1.0", "uuid": "00000000-0000-0000-0000-000000000000"}
)


class UndecidedRoute(GessoError):
    """A route that nobody has decided on; the server must not start with it."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who may use one route. `methods` is empty when it takes any."""

    path: str
    methods: frozenset[str]
    name: str
    rule: Rule

    def __str__(self) -> str:
        """One line of the report: access, methods, path."""
        return f"{self.rule.access:7} {','.join(sorted(self.methods)) or 'any':12} {self.path}"


def audit(app: ASGIApp, rules: Mapping[str, Rule]) -> tuple[Decision, ...]:
    """The decision on every route of `app` and of all that is mounted in it, in matching order.

    `rules` decides, by path, on routes that don't declare a rule themselves: Gradio's. Raises
    UndecidedRoute, which names all routes that have none.
    """
    decisions, undecided = [], []
    for path, route in walk(getattr(app, "routes", ()), ""):
        rule = declared_rule(route.endpoint) or rules.get(path)
        if rule is None or not _is_understood(route.original_route):
            undecided.append(f"{path} ({type(route.original_route).__name__})")
        else:
            decisions.append(
                Decision(path=path, methods=_methods(route), name=route.name or "", rule=rule)
            )
    if undecided:
        raise UndecidedRoute(
            f"Nobody has decided who may use {', '.join(undecided)}. Declare it with @needs(...) "
            "at the route; for a route of Gradio, in webui/gate/gradio_rules.py."
        )
    return tuple(decisions)


def walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[str, RouteContext]]:
    """Every route with its whole path; a mounted application's own routes in place of its mount."""
    for route in iter_route_contexts(routes):
        path = prefix + (route.path or "")
        inner = getattr(route.original_route, "routes", None)
        if isinstance(route.original_route, Mount) and inner:
            yield from walk(inner, path)
        else:
            yield path, route


def _is_understood(route: BaseRoute) -> bool:
    """Whether the table can tell by method and path what reaches it (not so for Host routes)."""
    return isinstance(route, Route | WebSocketRoute)


def _methods(route: RouteContext) -> frozenset[str]:
    if isinstance(route.original_route, WebSocketRoute):
        return frozenset({WEBSOCKET})
    return frozenset(route.methods or ())


def sample(path: str) -> str:
    """An address that a route with this path answers."""
    return _PARAMETER.sub(lambda found: _SAMPLES.get(found[1] or "", "x"), path)


class Table:
    """Finds the rule for a request, as the router will find the route: the first that fits."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = tuple(decisions)
        compiled = [(compile_path(decision.path)[0], decision) for decision in decisions]
        self._patterns = tuple((regex, d) for regex, d in compiled if "{" in d.path)
        literal = {decision.path for decision in decisions if "{" not in decision.path}
        # Which decisions a fixed path meets never changes; most requests are for such a path.
        self._literal = {path: _fitting(compiled, path) for path in literal}

    def find(self, method: str, path: str) -> Rule | None:
        """The rule of the route that a request will reach; None if it will reach none."""
        fits = (d for d in self._at(path) if not d.methods or method in d.methods)
        decision = next(fits, None)
        return decision.rule if decision else None

    def methods(self, path: str) -> frozenset[str]:
        """With which methods a path can be asked for; none when it is closed or unknown."""
        open_here = (d for d in self._at(path) if d.rule.access is not Access.CLOSED)
        return frozenset().union(*(d.methods for d in open_here)) - {WEBSOCKET}

    def knows(self, path: str) -> bool:
        """Whether a route answers here, whatever the method."""
        return bool(self._at(path))

    @property
    def samples(self) -> tuple[str, ...]:
        """An address for each route."""
        return tuple(sample(decision.path) for decision in self._decisions)

    def _at(self, path: str) -> tuple[Decision, ...]:
        fitting = self._literal.get(path)
        return _fitting(self._patterns, path) if fitting is None else fitting


def _fitting(
    compiled: Sequence[tuple[re.Pattern[str], Decision]], path: str
) -> tuple[Decision, ...]:
    return tuple(decision for regex, decision in compiled if regex.match(path))
