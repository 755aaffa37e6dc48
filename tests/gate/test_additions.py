"""Routes of extensions: below /ext/<id>/, for a role, after all of ours, gone when they go."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Host, Mount, Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.test_audit import decided
from webui.core.errors import InvalidRequest
from webui.core.person import Role
from webui.gate.access import Access, needs
from webui.gate.additions import Additions, RefusedRoute, add_app, add_router
from webui.gate.audit import Table, audit
from webui.gate.gate import Surroundings
from webui.gate.server import protect

OURS = {"X-Gesso": "1"}


def router() -> APIRouter:
    made = APIRouter()

    @made.get("/words")
    def words() -> dict[str, str]:
        return {"said": "yes"}

    @made.get("/broken")
    def broken() -> None:
        raise ArithmeticError("planted")

    @made.get("/refused")
    def refused() -> None:
        raise InvalidRequest("size", "Too large.")

    @made.get("/page")
    def page() -> Response:
        headers = {
            "Content-Security-Policy": "default-src *",
            "X-Frame-Options": "ALLOWALL",
            "Access-Control-Allow-Origin": "*",
        }
        return Response(b"<p>hello", media_type="text/html", headers=headers)

    return made


def front(additions: Additions) -> FastAPI:
    """A studio with one route of its own, and what is added."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/own", needs(Access.PERSON)(lambda: {"said": "ours"}))
    app.mount("/", _Behind(additions))
    return app


class _Behind:
    """Where the page stands: additions answer what nobody else does."""

    def __init__(self, additions: Additions) -> None:
        self.routes = [Route("/", decided)]
        self._additions = additions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._additions(scope, receive, send)


def client(additions: Additions, *, is_shared: bool = False) -> TestClient:
    around = Surroundings(doorkeeper=NamedDoorkeeper()) if is_shared else None
    gate = protect(front(additions), around, additions=additions)
    return TestClient(gate, base_url="http://localhost:7860", raise_server_exceptions=False)


def test_routes_come_and_go_while_the_server_runs() -> None:
    additions = Additions()
    with client(additions) as site:
        assert site.get("/ext/tool/words").status_code == 404
        additions.use([add_router("tool", [(router(), Role.OWNER)])])
        assert site.get("/ext/tool/words").json() == {"said": "yes"}
        assert site.get("/words").status_code == 404
        additions.use([])
        assert site.get("/ext/tool/words").status_code == 404


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_asked_for(role: Role) -> None:
    additions = Additions()
    additions.use([add_router("tool", [(router(), role)])])
    with client(additions, is_shared=True) as site:
        answers = {
            name: site.get("/ext/tool/words", headers=dict([as_person(name)])).status_code
            for name in ("viewer", "artist", "owner")
        }
        nobody = site.get("/ext/tool/words").status_code
    allowed = {name for name, status in answers.items() if status == 200}
    assert allowed == {each.value for each in Role if each.covers(role)}
    assert set(answers.values()) <= {200, 403}
    assert nobody == 401


def test_an_answer_gets_the_headers_of_the_gate() -> None:
    additions = Additions()
    additions.use([add_router("tool", [(router(), Role.OWNER)])])
    with client(additions) as site:
        headers = site.get("/ext/tool/page").headers
    assert "*" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_only_what_says_so_may_be_shown_in_a_frame_of_the_page() -> None:
    framed = APIRouter()

    @framed.get("/framed")
    @needs(Access.OWNER, may_be_framed=True)
    def read() -> HTMLResponse:
        return HTMLResponse("<p>in a frame</p>")

    additions = Additions()
    additions.use([add_router("tool", [(framed, Role.OWNER), (router(), Role.OWNER)])])
    with client(additions) as site:
        framed_too, plain = site.get("/ext/tool/framed").headers, site.get("/ext/tool/page").headers
    assert framed_too["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in framed_too["content-security-policy"]
    assert "frame-ancestors 'none'" in plain["content-security-policy"]


def test_what_a_route_raises_ends_there(caplog: pytest.LogCaptureFixture) -> None:
    additions = Additions()
    additions.use([add_router("tool", [(router(), Role.OWNER)])])
    with client(additions) as site:
        broken, refused = site.get("/ext/tool/broken"), site.get("/ext/tool/refused")
    assert broken.status_code == 500
    assert "planted" not in broken.text
    assert "“tool” failed at /ext/tool/broken" in caplog.text
    assert refused.status_code == 422
    assert refused.json() == {"error": {"field": "size", "message": "Too large."}}


@pytest.mark.parametrize("role", ["open", None, Access.OPEN])
def test_routes_without_a_role_are_refused(role: object) -> None:
    with pytest.raises(RefusedRoute, match="“tool” registers routes for"):
        add_router("tool", [(router(), role)])


def test_a_route_that_would_be_open_is_refused() -> None:
    made = APIRouter()
    made.add_api_route("/free", needs(Access.OPEN)(lambda: None))
    with pytest.raises(RefusedRoute, match="wants /ext/tool/free to be open to everyone"):
        add_router("tool", [(made, Role.OWNER)])


@pytest.mark.parametrize("thing", [object(), Starlette(), lambda: None])
def test_what_is_no_router_is_refused(thing: object) -> None:
    with pytest.raises(RefusedRoute, match="registers a"):
        add_router("tool", [(thing, Role.OWNER)])


def own_table() -> Table:
    routes = [Route("/own", decided), Route("/own/{id}", decided), Route("/", decided)]
    return Table(audit(Starlette(routes=routes), {}))


@pytest.mark.parametrize(
    "path", ["/own", "/own/{name}", "/own/x", "/{everything:path}", "/{name}", "/"]
)
def test_a_route_that_would_stand_before_ours_is_left_out(path: str) -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route(path, lambda: None)
    app.add_api_route("/theirs", lambda: None)
    addition, why = add_app("old", app, own_table())
    assert [decision.path for decision in addition.decisions] == ["/theirs"]
    assert len(why) == 1
    assert path in why[0]
    assert [getattr(route, "path", "") for route in app.routes] == ["/theirs"]


def test_a_route_of_an_application_is_for_the_owner_until_it_says_more() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/silent", lambda: None)
    app.add_api_route("/told", needs(Access.ARTIST)(lambda: None))
    app.mount("/files", Starlette())
    addition, why = add_app("old", app, own_table())
    rules = {decision.path: decision.rule.access for decision in addition.decisions}
    assert rules == {
        "/silent": Access.OWNER,
        "/told": Access.ARTIST,
        "/files/{path:path}": Access.OWNER,
    }
    assert why == []


def test_a_route_that_the_table_can_not_understand_is_left_out() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.append(Host("other.example", app=Starlette(routes=[Route("/x", decided)])))
    addition, why = add_app("old", app, own_table())
    assert (addition.decisions, len(why)) == ((), 1)


def test_ours_is_never_asked_of_an_addition() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/own", lambda: PlainTextResponse("theirs"), methods=["GET", "POST"])
    additions = Additions()
    addition, _ = add_app("old", app, Table(()))  # even if nobody had noticed
    additions.use([addition])
    with client(additions) as site:
        assert site.get("/own").json() == {"said": "ours"}
        assert site.post("/own", headers=OURS).status_code == 405


def test_mounts_below_a_router_of_routes_stay_below_it() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.append(Mount("/deep", routes=[Route("/leaf", decided_by_owner)]))
    addition, _ = add_app("old", app, own_table())
    assert [decision.path for decision in addition.decisions] == ["/deep/leaf"]


def decided_by_owner(_: object) -> PlainTextResponse:
    return PlainTextResponse("")
