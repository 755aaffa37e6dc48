"""No route without a decision: the start fails, and names it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import gradio as gr
import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.gate.site import plain_app
from webui.gate.access import Access, Rule, needs
from webui.gate.audit import WEBSOCKET, Table, UndecidedRoute, audit
from webui.gate.gradio_rules import GRADIO_RULES
from webui.gate.server import protect

PERSON = Rule(access=Access.PERSON)


@needs(Access.OPEN)
def decided(_: Request) -> PlainTextResponse:
    return PlainTextResponse("")


def undecided(_: Request) -> PlainTextResponse:
    return PlainTextResponse("")


@needs(Access.PERSON)
async def decided_socket(socket: WebSocket) -> None:
    await socket.accept()


async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})


def test_every_route_of_gradio_is_decided(app: FastAPI) -> None:
    decisions = audit(app, GRADIO_RULES)
    listed = {decision.path for decision in decisions}
    assert listed >= {"/", "/config", "/gradio_api/queue/join", "/gradio_api/upload", "/login"}
    assert listed >= {"/api/v1/thing", "/api/v1/stream"}
    assert len(decisions) >= 80


def test_the_table_for_gradio_names_no_route_that_is_gone(app: FastAPI) -> None:
    listed = {decision.path for decision in audit(app, GRADIO_RULES)}
    assert set(GRADIO_RULES) - listed == set()


def test_the_list_is_what_gradio_says_it_serves(app: FastAPI) -> None:
    """The walk over the routes finds no less than Gradio's own description of them."""
    holder = next(route for route in app.routes if isinstance(route, Mount))
    page = next(route for route in holder.routes or () if isinstance(route, Mount)).app
    assert isinstance(page, FastAPI)
    listed = {decision.path.replace(":path}", "}") for decision in audit(app, GRADIO_RULES)}
    assert set(page.openapi()["paths"]) - listed == set()


@pytest.mark.parametrize("path", sorted(GRADIO_RULES))
def test_a_gradio_route_without_a_decision_stops_the_start(app: FastAPI, path: str) -> None:
    rest = {other: rule for other, rule in GRADIO_RULES.items() if other != path}
    with pytest.raises(UndecidedRoute) as raised:
        audit(app, rest)
    assert f" {path} (" in str(raised.value)


def test_all_undecided_routes_are_named_at_once() -> None:
    app = plain_app()
    app.add_api_route("/api/v1/first", undecided)
    router = APIRouter(prefix="/inner")
    router.add_api_route("/second", undecided)
    app.include_router(router, prefix="/outer")
    app.mount("/below", Starlette(routes=[Route("/third", undecided), Route("/fine", decided)]))
    with pytest.raises(UndecidedRoute) as raised:
        protect(app)
    message = str(raised.value)
    assert all(path in message for path in ("/api/v1/first", "/outer/inner/second", "/below/third"))
    assert "/below/fine" not in message


@pytest.mark.parametrize(
    "route",
    [
        Mount("/opaque", app=opaque),
        Mount("/empty", app=Starlette()),
        Host("other.example", app=Starlette(routes=[Route("/x", decided)])),
        WebSocketRoute("/socket", opaque),
    ],
    ids=lambda route: type(route).__name__,
)
def test_what_the_table_can_not_understand_stops_the_start(route: Mount) -> None:
    with pytest.raises(UndecidedRoute, match=type(route).__name__):
        audit(Starlette(routes=[route]), {})


def test_a_decision_by_path_does_not_open_a_mounted_application() -> None:
    with pytest.raises(UndecidedRoute):
        audit(Starlette(routes=[Mount("/opaque", app=opaque)]), {"/opaque": PERSON})


def test_a_route_that_is_added_later_stays_out_of_reach() -> None:
    async def ask() -> list[int]:
        app = Starlette(routes=[Route("/fine", decided)])
        gate = protect(app)
        app.router.routes.append(Route("/late", decided))
        return [await status(gate, path) for path in ("/fine", "/late")]

    assert asyncio.run(ask()) == [200, 404]


def test_a_websocket_route_is_asked_for_separately() -> None:
    routes = [Route("/same", decided), WebSocketRoute("/same", decided_socket)]
    table = Table(audit(Starlette(routes=routes), {}))
    http, socket = table.find("GET", "/same"), table.find(WEBSOCKET, "/same")
    assert http is not None
    assert http.access is Access.OPEN
    assert socket is not None
    assert socket.access is Access.PERSON
    assert Table(audit(plain_app(), {})).find(WEBSOCKET, "/a-page") is None


def test_the_rule_is_that_of_the_route_which_the_router_takes() -> None:
    """Of two routes that fit a path, the first counts, as in the router."""
    routes = [Route("/{name}", decided), Route("/exact", undecided)]
    table = Table(audit(Starlette(routes=routes), {"/exact": Rule(access=Access.CLOSED)}))
    rule = table.find("GET", "/exact")
    assert rule is not None
    assert rule.access is Access.OPEN
    reversed_table = Table(
        audit(Starlette(routes=routes[::-1]), {"/exact": Rule(access=Access.CLOSED)})
    )
    rule = reversed_table.find("GET", "/exact")
    assert rule is not None
    assert rule.access is Access.CLOSED


def test_the_report_has_a_line_for_each_route(app: FastAPI) -> None:
    lines = [str(decision) for decision in audit(app, GRADIO_RULES)]
    assert "closed  POST         /gradio_api/vibe-edit" in lines
    assert "person  POST         /gradio_api/queue/join" in lines


def test_a_second_page_of_gradio_needs_a_decision_of_its_own() -> None:
    async def build() -> FastAPI:
        with gr.Blocks() as page:
            gr.Textbox()
        with page.route("Second", "/second"):
            gr.Textbox()
        app = gr.mount_gradio_app(FastAPI(openapi_url=None), page, "/", run_history=False)
        assert isinstance(app, FastAPI)
        return app

    with pytest.warns(UserWarning, match="multi-page"):  # its own, about rendering on the server
        app = asyncio.run(build())
    with pytest.raises(UndecidedRoute, match="/second "):
        protect(app)


async def status(app: ASGIApp, path: str, hosts: Sequence[str] = ("localhost:7860",)) -> int:
    """The status that an application answers a plain GET with, without a server before it."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 7860),
        "client": ("127.0.0.1", 50000),
        "headers": [(b"host", host.encode()) for host in hosts],
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["localhost:7860"], 200),
        ([], 421),
        (["localhost:7860", "localhost:7860"], 421),
        (["localhost:7860", "evil.example"], 421),
    ],
)
def test_the_gate_itself_wants_one_host(hosts: list[str], expected: int) -> None:
    """uvicorn's parser refuses other numbers too; that is not to be relied on."""
    gate = protect(Starlette(routes=[Route("/fine", decided)]))
    assert asyncio.run(status(gate, "/fine", hosts)) == expected
