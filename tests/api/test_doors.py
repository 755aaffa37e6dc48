"""What somebody learns who is not signed in, and what ends when somebody is signed out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import Response

from tests.api.accounts import House, open_house
from webui.api.build import ASSETS, build_api
from webui.api.cookies import SECURE_NAME, set_session
from webui.api.doorkeeper import PeopleDoorkeeper
from webui.core.person import Caller, Via
from webui.gate.access import Access
from webui.gate.audit import audit
from webui.people.account import Where

OPEN = {
    "GET /health",
    "GET /sign-in",
    "GET /first-run",
    "POST /api/v1/session",
    "POST /api/v1/first-run",
}
"""All that answers to somebody who is not signed in, beside the scripts and styles of the pages,
and what only those can ask for who were given a secret link."""
SECRET = "{token}"
PAGE = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "none"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A studio with an owner who made a picture's worth of secrets."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        opened.owner()
        yield opened


def routes(house: House) -> list[tuple[str, str, Access]]:
    """Method, path and access of every route of the API."""
    return [
        (method, decision.path, decision.rule.access)
        for decision in audit(build_api(house.studio, ASSETS), {})
        for method in sorted(decision.methods - {"HEAD"})
    ]


def test_only_these_routes_are_open(house: House) -> None:
    found = {f"{method} {path}" for method, path, access in routes(house) if access is Access.OPEN}
    known = {route for route in found if not route.startswith("GET /assets/")}
    assert {route for route in known if SECRET not in route} == OPEN


def test_a_guessed_link_leads_nowhere(house: House) -> None:
    """To nothing, or to a page that is the same for every link."""
    links = [path for _, path, access in routes(house) if access is Access.OPEN and SECRET in path]
    for path in set(links):
        guesses = [
            house.visitor().ask("GET", re.sub(r"\{[^}]*\}", letter * 43, path)) for letter in "xy"
        ]
        assert guesses[0].body == guesses[1].body, path
        assert {guess.status for guess in guesses} <= {200, 404}
        assert guesses[0].status == 404 or guesses[0].one("content-type").startswith("text/html")


def test_an_anonymous_crawl_learns_nothing(house: House) -> None:
    """Every route with every method: who is not signed in is told so, and no more."""
    said = set()
    for method, path, access in routes(house):
        if access is Access.OPEN or method == "WEBSOCKET":
            continue
        address = re.sub(r"\{[^}]*\}", "local", path)
        answer = house.visitor().ask(method, address)
        if answer.status == 303:
            assert answer.one("location").startswith("/sign-in?next=")
        else:
            assert answer.status == (404 if access is Access.CLOSED else 401), f"{method} {path}"
        said.add(answer.body)
    assert len(said) <= 8  # a few sentences, in four dialects
    assert not any(word in body for body in said for word in (b"Ada", b"local", b"owner"))


def test_a_wrong_link_says_the_same_whatever_it_is(house: House) -> None:
    bodies = {
        house.visitor().ask("GET", f"/api/v1/join/{token}").body
        for token in ("x", "y" * 43, "z" * 200, "gesso_x")
    }
    assert len(bodies) == 1


def test_the_pages_are_the_same_for_everyone(house: House) -> None:
    one, other = (house.site.get(f"/join/{token}", *PAGE) for token in ("a", "b" * 43))
    assert one.status == 200
    assert one.body == other.body
    policy = one.one("content-security-policy")
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert b"<script>" not in one.body


@pytest.mark.parametrize("path", ["/sign-in", "/join/a"])
def test_who_asks_whether_the_studio_is_there_gets_an_answer(house: House, path: str) -> None:
    answer = house.site.ask("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")


def test_the_first_run_is_over_once_there_is_an_owner(house: House) -> None:
    answer = house.site.get("/first-run", *PAGE)
    assert (answer.status, answer.one("location")) == (303, "/sign-in")


def test_the_first_run_is_for_this_machine_only(tmp_path: Path) -> None:
    with open_house(tmp_path) as empty:
        assert empty.site.get("/first-run", *PAGE).status == 200
        # A proxy on this machine that nobody named: its requests come from here, too.
        proxied = empty.site.ask(
            "POST",
            "/api/v1/first-run",
            [("Content-Type", "application/json")],
            b'{"name": "Eve", "password": "four words in a row"}',
            hosts=[f"gesso.example:{empty.site.port}"],
        )
        assert proxied.status == 421
        assert not empty.people.has_owner()


@pytest.mark.parametrize("how", ["session", "ban", "key"])
def test_an_open_stream_ends_with_what_opened_it(house: House, how: str) -> None:
    owner, bob = house.owner(), house.joined(f"Bob with a {how}")
    id = bob.json("GET", "/api/v1/session")["id"]
    shown, key = ("Cookie", f"gesso_session={bob.cookies['gesso_session']}"), ""
    if how == "key":
        made = bob.json("POST", "/api/v1/keys", {"name": "stream"}, 201)
        shown, key = ("X-API-Key", made["secret"]), made["id"]
    with closing(house.site.connect()) as stream:
        lines = ["GET /api/v1/events HTTP/1.1", f"Host: {house.site.host}", ": ".join(shown)]
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        assert stream.recv(65536).startswith(b"HTTP/1.1 200")
        if how == "session":
            owner.json("DELETE", f"/api/v1/people/{id}/sessions")
        elif how == "ban":
            owner.json("PATCH", f"/api/v1/people/{id}", {"is_disabled": True})
        else:
            owner.ask("DELETE", f"/api/v1/keys/{key}")
        stream.settimeout(20)
        received = b""
        while not received.endswith(b"0\r\n\r\n"):  # the answer is whole; the connection may stay
            piece = stream.recv(65536)
            assert piece or received
            if not piece:
                break
            received += piece


def test_over_tls_the_cookie_can_not_be_planted(house: House) -> None:
    person = house.people.roster.find("Ada")
    assert person is not None
    token = house.people.sessions.begin(person, Where()).token
    response = Response()
    set_session(response, {"type": "http", "scheme": "https"}, token)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_NAME}={token};")
    assert {"secure", "httponly", "path=/", "samesite=strict"} <= set(cookie.lower().split("; "))
    assert "domain" not in cookie.lower()
    keeper = PeopleDoorkeeper(house.people)
    by_name = {
        name: asyncio.run(
            keeper.recognise(
                {
                    "type": "http",
                    "scheme": "https",
                    "client": ("10.0.0.1", 1),
                    "headers": [(b"cookie", f"{name}={token}".encode())],
                }
            )
        )
        for name in ("gesso_session", SECURE_NAME)
    }
    assert by_name["gesso_session"] is None
    found = by_name[SECURE_NAME]
    assert isinstance(found, Caller)
    assert found.via is Via.SESSION
