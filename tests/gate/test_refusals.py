"""Who is kept out is told so in the words of the place they asked; a browser is led on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.site import Site, serving
from webui.core.person import CALLER
from webui.gate.access import Access, needs
from webui.gate.gate import Surroundings
from webui.gate.server import protect

PATHS = ("/api/v1/thing", "/sdapi/v1/thing", "/internal/thing", "/v1/thing", "/mcp")


def app() -> FastAPI:
    """A route below each path that speaks a dialect, and pages."""
    made = FastAPI(openapi_url=None)

    @needs(Access.ARTIST)
    def thing() -> dict[str, str]:
        return {"thing": "here"}

    @needs(Access.OWNER)
    def owners() -> dict[str, str]:
        return {"thing": "here"}

    @needs(Access.PERSON, is_page=True)
    def page(rest: str = "") -> Response:
        return Response("<p>page</p>", media_type="text/html")

    @needs(Access.OPEN, knows_caller=True)
    def greeting(request: Request) -> dict[str, str]:
        caller = request.scope[CALLER]
        return {"hello": caller.name if caller else "whoever you are"}

    @needs(Access.OPEN)
    def open_to_all(request: Request) -> dict[str, bool]:
        return {"is_known": request.scope[CALLER] is not None}

    for path in PATHS:
        made.add_api_route(path, thing, methods=["GET", "POST"])
    made.add_api_route("/api/v1/owners", owners)
    made.add_api_route("/greeting", greeting)
    made.add_api_route("/open", open_to_all)
    made.add_api_route("/page", page, methods=["GET", "HEAD", "POST"])
    made.add_api_route("/page/{rest:path}", page)
    return made


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The routes above, for people who say who they are."""
    with serving(protect(app(), Surroundings(doorkeeper=NamedDoorkeeper()))) as running:
        yield running


def said(body: bytes) -> Any:
    return json.loads(body)


def test_our_api_names_no_field(site: Site) -> None:
    answer = site.get("/api/v1/thing")
    assert answer.status == 401
    assert said(answer.body)["error"]["field"] is None
    assert "sign in" in said(answer.body)["error"]["message"]
    assert answer.all("www-authenticate") == []  # or the browser would ask in a box of its own


@pytest.mark.parametrize("path", ["/sdapi/v1/thing", "/internal/thing"])
def test_programs_for_a1111_are_asked_for_a_password(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status == 401
    assert set(said(answer.body)) == {"detail"}
    assert answer.one("www-authenticate").startswith('Basic realm="Gesso"')


def test_programs_for_openai_get_its_error(site: Site) -> None:
    answer = site.get("/v1/thing")
    assert answer.status == 401
    error = said(answer.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")


def test_what_is_not_for_a_role_is_forbidden_in_each_dialect(site: Site) -> None:
    answers = {path: site.get(path, as_person("viewer")) for path in PATHS}
    assert {answer.status for answer in answers.values()} == {403}
    assert said(answers["/v1/thing"].body)["error"]["code"] == "forbidden"
    assert "not for a viewer" in said(answers["/sdapi/v1/thing"].body)["detail"]
    assert "not for a viewer" in answers["/mcp"].body.decode()
    assert site.get("/api/v1/owners", as_person("artist")).status == 403
    assert site.get("/api/v1/owners", as_person("owner")).status == 200


def test_a_refusal_of_the_doorkeeper_keeps_its_headers(site: Site) -> None:
    answer = site.get("/sdapi/v1/thing", ("X-Person", "locked"))
    assert (answer.status, answer.one("retry-after")) == (429, "7")
    assert said(answer.body) == {"detail": "Too many tries."}


def test_writes_by_browsers_need_the_header_at_our_own_api_only(site: Site) -> None:
    """No program that speaks another dialect sends it; there the Origin decides."""
    own = (as_person("artist"), ("Origin", site.origin), ("Sec-Fetch-Site", "same-origin"))
    foreign = (as_person("artist"), ("Origin", "http://evil.example"))
    for path in PATHS:
        assert site.ask("POST", path, own).status == (403 if path.startswith("/api/") else 200)
        assert site.ask("POST", path, foreign).status == 403
        assert site.ask("POST", path, (as_person("artist"),)).status == 200


@pytest.mark.parametrize(
    ("target", "back"),
    [
        ("/page", "%2Fpage"),
        ("/page?tab=history&x=1%202", "%2Fpage%3Ftab%3Dhistory%26x%3D1%25202"),
        ("/page/%2e%2e/a", "%2Fpage%2F%252e%252e%2Fa"),
        ("/page/%E2%9C%93", "%2Fpage%2F%25E2%259C%2593"),
    ],
)
def test_a_page_leads_to_the_sign_in_and_back(site: Site, target: str, back: str) -> None:
    answer = site.get(target)
    assert answer.status == 303
    assert answer.one("location") == f"/sign-in?next={back}"
    assert answer.one("cache-control") == "no-store"


def test_only_looking_at_a_page_leads_on(site: Site) -> None:
    assert site.ask("HEAD", "/page").status == 303
    assert site.ask("POST", "/page").status == 401


def test_whoever_follows_a_link_from_elsewhere_comes_in_again(site: Site) -> None:
    """Browsers leave a SameSite=Strict cookie out then, also if somebody is signed in."""
    link = (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    )
    answer = site.get("/page?a=1&b=%22%3E%3Cscript%3E", *link)
    assert answer.status == 200
    assert answer.one("content-type").startswith("text/html")
    assert b'content="0;url=/page?a=1&amp;b=%22%3E%3Cscript%3E"' in answer.body
    assert b"<script" not in answer.body
    assert "script-src 'self'" in answer.one("content-security-policy")


@pytest.mark.parametrize("target", ["/page/a'b", "/page/%22%27%3C"])
def test_nothing_in_an_address_becomes_part_of_the_page(site: Site, target: str) -> None:
    link = (("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "navigate"))
    answer = site.get(target, *link, ("Sec-Fetch-Dest", "document"))
    assert answer.body.count(b'"') == 6  # those of the two attributes and of the link


def test_an_open_route_is_told_who_asks_if_it_wants_to_know(site: Site) -> None:
    assert said(site.get("/greeting").body) == {"hello": "whoever you are"}
    assert said(site.get("/greeting", ("Cookie", "person=artist Bo")).body) == {"hello": "Bo"}
    locked = site.get("/greeting", ("Cookie", "person=locked"))
    assert said(locked.body) == {"hello": "whoever you are"}


def test_an_open_route_otherwise_knows_nobody(site: Site) -> None:
    assert said(site.get("/open", ("Cookie", "person=owner Ada")).body) == {"is_known": False}
