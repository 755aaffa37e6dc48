"""Accounts by HTTP, through the real gate: coming in, what each may do, and being shown out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.accounts import OTHER, OWNER, PASSWORD, House, Visitor, open_house
from tests.api.conftest import error_of
from tests.conftest import finished
from webui.core.job import JobId, JobState


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A studio with accounts but nobody in it."""
    with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests that add people of their own, and don't try wrong passwords."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        opened.owner()
        yield opened


def basic(name: str, secret: str) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def cookie_of(visitor: Visitor) -> str:
    return visitor.cookies["gesso_session"]


def test_the_first_owner_is_made_once_and_stays(house: House) -> None:
    visitor = house.visitor()
    assert not visitor.is_in
    visitor.sign_in(status=401)
    me = visitor.json("POST", "/api/v1/first-run", {"name": OWNER, "password": PASSWORD})
    assert (me["id"], me["role"], me["via"]) == ("local", "owner", "session")
    assert visitor.is_in
    again = house.visitor().ask("POST", "/api/v1/first-run", {"name": "Eve", "password": OTHER})
    assert again.status == 403
    for method, body in (("DELETE", None), ("PATCH", {"role": "artist"})):
        refused = visitor.ask(method, "/api/v1/people/local", body)
        assert refused.status == 403
        assert "only owner" in error_of(refused)[2]
    assert visitor.ask("GET", "/api/v1/people").status == 200


@pytest.mark.parametrize("path", ["/api/v1/session", "/api/v1/first-run", "/api/v1/join/x"])
def test_a_body_with_a_password_is_small(shared: House, path: str) -> None:
    body = {"name": "Ada", "password": "x" * 1100}
    assert shared.visitor().ask("POST", path, body).status == 413


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "x" * 300, "", "' OR 1=1 --"])
def test_strange_names_are_just_wrong(shared: House, name: str) -> None:
    shared.visitor().sign_in(name, "some password", status=401)


def test_the_cookie_is_for_this_server_and_no_script(shared: House) -> None:
    credentials = {"name": OWNER, "password": PASSWORD}
    answer = shared.visitor().ask("POST", "/api/v1/session", credentials)
    name, *attributes = answer.one("set-cookie").split("; ")
    assert name.startswith("gesso_session=")
    assert {part.lower() for part in attributes} == {
        "httponly",
        "samesite=strict",
        "path=/",
        f"max-age={7 * 24 * 3600}",
    }
    assert answer.one("cache-control") == "no-store"


def test_the_answer_holds_no_secret(shared: House) -> None:
    visitor = shared.owner()
    for path in ("session", "sessions", "people", "keys/all", "invitations", "people/diary"):
        body = visitor.ask("GET", f"/api/v1/{path}").body
        assert cookie_of(visitor).encode() not in body
        assert b"argon2" not in body


def test_signing_in_gives_a_token_of_its_own(shared: House) -> None:
    visitor = shared.visitor()
    visitor.cookies["gesso_session"] = planted = "planted-by-somebody-else"
    visitor.sign_in()
    first = cookie_of(visitor)
    visitor.sign_in()
    assert planted != first != cookie_of(visitor)
    assert not Visitor(site=shared.site, cookies={"gesso_session": first}).is_in
    assert not Visitor(site=shared.site, cookies={"gesso_session": planted}).is_in


def test_signing_out_ends_the_session_and_takes_the_cookie(shared: House) -> None:
    visitor = shared.owner()
    kept = dict(visitor.cookies)
    assert visitor.ask("DELETE", "/api/v1/session").status == 204
    assert visitor.cookies == {}
    assert not Visitor(site=shared.site, cookies=kept).is_in


def test_asking_who_one_is_gives_the_cookie_another_week(shared: House) -> None:
    visitor = shared.owner()
    answer = visitor.ask("GET", "/api/v1/session")
    assert cookie_of(visitor) in answer.one("set-cookie")
    assert f"max-age={7 * 24 * 3600}" in answer.one("set-cookie").lower()


def test_no_more_than_five_wrong_passwords_are_looked_at(shared: House) -> None:
    name = "Bob of tries"
    shared.joined(name)
    visitor = shared.visitor()
    statuses = []
    for number in range(7):
        body = {"name": name, "password": f"wrong {number}"}
        statuses.append(visitor.ask("POST", "/api/v1/session", body).status)
    assert statuses == [401] * 5 + [429] * 2
    refused = visitor.ask("POST", "/api/v1/session", {"name": name, "password": PASSWORD})
    assert refused.status == 429
    assert 0 < int(refused.one("retry-after")) <= 61
    by_basic = shared.visitor(basic(name, PASSWORD)).ask("GET", "/api/v1/session")
    assert by_basic.status == 429
    assert int(by_basic.one("retry-after")) > 0


def test_an_unknown_name_and_a_wrong_password_sound_the_same(shared: House) -> None:
    answers = [
        shared.visitor().ask("POST", "/api/v1/session", {"name": name, "password": "not it"})
        for name in (OWNER, "Nobody")
    ]
    assert answers[0].body == answers[1].body
    assert [name for name, _ in answers[0].headers] == [name for name, _ in answers[1].headers]


def test_a_program_that_sends_its_password_each_time_is_let_in(shared: House) -> None:
    program = shared.visitor(basic("ada", PASSWORD))
    for _ in range(20):
        assert program.json("GET", "/api/v1/session")["via"] == "password"
    wrong = shared.visitor(basic("ada", "always the same mistake"))
    assert {wrong.ask("GET", "/api/v1/session").status for _ in range(20)} == {401}
    assert program.is_in


def test_a_remembered_password_ends_with_the_password(shared: House) -> None:
    bob = shared.joined("Bob of basic")
    program = shared.visitor(basic("Bob of basic", PASSWORD))
    assert program.is_in
    change = {"current": PASSWORD, "new": OTHER}
    assert bob.ask("POST", "/api/v1/session/password", change).status == 204
    assert not program.is_in
    assert shared.visitor(basic("Bob of basic", OTHER)).is_in


def test_guesses_at_a_remembered_password_are_counted(shared: House) -> None:
    name = "Bob of guesses"
    shared.joined(name)
    assert shared.visitor(basic(name, PASSWORD)).is_in
    guesses = [f"guess {number}" for number in range(6)] + [PASSWORD]
    statuses = [
        shared.visitor(basic(name, guess)).ask("GET", "/api/v1/session").status for guess in guesses
    ]
    assert statuses == [401] * 5 + [429] * 2


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic YQ==", "Bearer", "Bearer gesso_x", "Digest x", "x" * 4000],
)
def test_a_header_that_makes_no_sense_lets_nobody_in(shared: House, header: str) -> None:
    assert not shared.visitor(("Authorization", header)).is_in


def test_a_password_of_a_proxy_does_not_hide_the_cookie(shared: House) -> None:
    visitor = shared.owner()
    visitor.headers = (basic("proxy", "its own password"),)
    assert visitor.json("GET", "/api/v1/session")["via"] == "session"


def test_one_sees_and_ends_ones_own_sessions_only(shared: House) -> None:
    bob, phone = shared.joined("Bob of sessions"), shared.visitor()
    phone.headers = (("User-Agent", "Mozilla/5.0 (Linux; Android 15) Firefox/140.0"),)
    phone.sign_in("bob of sessions")
    listed = bob.json("GET", "/api/v1/sessions")
    assert {entry["browser"] for entry in listed} == {"A program", "Firefox on Android"}
    assert [entry["is_this"] for entry in listed if entry["browser"] == "A program"] == [True]
    (id,) = [entry["id"] for entry in listed if not entry["is_this"]]
    eve = shared.joined("Eve of sessions")
    assert eve.ask("DELETE", f"/api/v1/sessions/{id}").status == 404
    assert phone.is_in
    assert len(bob.json("DELETE", f"/api/v1/sessions/{id}")) == 1
    assert not phone.is_in
    assert bob.is_in


def test_a_new_password_signs_out_everywhere_else(shared: House) -> None:
    bob, phone = shared.joined("Bob of words"), shared.visitor()
    phone.sign_in("Bob of words")
    wrong = bob.ask("POST", "/api/v1/session/password", {"current": "no", "new": OTHER})
    assert error_of(wrong)[:2] == (422, "current")
    weak = bob.ask("POST", "/api/v1/session/password", {"current": PASSWORD, "new": "short"})
    assert error_of(weak)[:2] == (422, "password")
    change = {"current": PASSWORD, "new": OTHER}
    assert bob.ask("POST", "/api/v1/session/password", change).status == 204
    assert bob.is_in
    assert not phone.is_in


def test_an_invitation_makes_an_account_of_its_role(shared: House) -> None:
    owner = shared.owner()
    made = owner.json("POST", "/api/v1/invitations", {"role": "viewer", "note": "for Vi"}, 201)
    listed = owner.json("GET", "/api/v1/invitations")
    assert made["path"].partition("/join/")[2] not in json.dumps(listed)
    vi = shared.visitor()
    offer = vi.json("GET", f"/api/v1{made['path']}")
    assert (offer["kind"], offer["role"], offer["name"]) == ("join", "viewer", "")
    me = vi.json("POST", f"/api/v1{made['path']}", {"name": "Vi", "password": PASSWORD})
    assert me["role"] == "viewer"
    assert vi.is_in
    used = shared.visitor().ask("GET", f"/api/v1{made['path']}")
    assert error_of(used)[0] == 404
    assert "used up" in error_of(used)[2]


def test_a_guest_comes_in_without_a_password(shared: House) -> None:
    guest = shared.joined("Zoe", kind="guest")
    me = guest.json("GET", "/api/v1/session")
    assert (me["has_password"], me["expires_at"] is not None) == (False, True)
    assert (
        guest.ask("POST", "/api/v1/session/password", {"current": "", "new": OTHER}).status == 403
    )


def test_who_is_added_by_name_chooses_a_password(shared: House) -> None:
    owner = shared.owner()
    made = owner.json("POST", "/api/v1/people", {"name": "Cleo", "role": "artist"}, 201)
    assert not made["person"]["has_password"]
    cleo = shared.visitor()
    assert cleo.json("GET", f"/api/v1{made['link']['path']}")["name"] == "Cleo"
    cleo.json("POST", f"/api/v1{made['link']['path']}", {"password": PASSWORD})
    assert cleo.json("GET", "/api/v1/session")["name"] == "Cleo"


def test_a_key_does_what_its_role_may_and_makes_no_other(shared: House) -> None:
    owner = shared.owner()
    made = owner.json("POST", "/api/v1/keys", {"name": "looks", "role": "viewer"}, 201)
    full = owner.json("POST", "/api/v1/keys", {"name": "all"}, 201)
    for headers in (
        ("Authorization", f"Bearer {made['secret']}"),
        ("X-API-Key", made["secret"]),
        basic("ada", made["secret"]),
    ):
        me = shared.visitor(headers).json("GET", "/api/v1/session")
        assert (me["via"], me["role"], me["credential"]) == ("key", "viewer", made["id"])
    assert not shared.visitor(basic("somebody else", made["secret"])).is_in
    looks = shared.visitor(("X-API-Key", made["secret"]))
    assert looks.ask("GET", "/api/v1/people").status == 403
    program = shared.visitor(("X-API-Key", full["secret"]))
    assert program.ask("GET", "/api/v1/people").status == 200
    for path, body in (
        ("keys", {"name": "more"}),
        ("invitations", {}),
        ("people", {"name": "Mallory"}),
        ("session/password", {"current": PASSWORD, "new": OTHER}),
    ):
        assert program.ask("POST", f"/api/v1/{path}", body).status == 403, path
    assert full["secret"] not in json.dumps(owner.json("GET", "/api/v1/keys"))
    assert owner.ask("DELETE", f"/api/v1/keys/{full['id']}").status == 204
    assert not program.is_in


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "keys", {"name": "a\ud800b"}),
        ("POST", "keys", {"name": "a\u202eb"}),
        ("POST", "keys", {"name": "k", "expires_s": float("nan")}),
        ("POST", "keys", {"name": "k", "expires_s": float("inf")}),
        ("POST", "keys", {"name": "k", "role": "boss"}),
        ("POST", "keys", {"name": "k", "is_admin": True}),
        ("POST", "invitations", {"note": "\x00"}),
        ("POST", "invitations", {"kind": "reset"}),
        ("POST", "invitations", {"kind": "guest", "role": "owner"}),
        ("POST", "invitations", {"uses": 10**30}),
        ("POST", "people", {"name": "\ud800"}),
        ("POST", "people", {"name": "New", "\ud800": 1}),
        ("POST", "people", {"name": "New", "id": "local"}),
        ("GET", f"people/diary?before={10**30}", None),
    ],
)
def test_what_makes_no_sense_is_refused(
    shared: House, method: str, path: str, body: object
) -> None:
    assert shared.owner().ask(method, f"/api/v1/{path}", body).status == 422


def test_keys_of_others_are_not_to_be_seen(shared: House) -> None:
    key = shared.owner().json("POST", "/api/v1/keys", {"name": "mine"}, 201)
    bob = shared.joined("Bob of keys")
    assert bob.json("GET", "/api/v1/keys") == []
    assert bob.ask("GET", "/api/v1/keys/all").status == 403
    assert bob.ask("DELETE", f"/api/v1/keys/{key['id']}").status == 404
    own = bob.json("POST", "/api/v1/keys", {"name": "own"}, 201)
    assert bob.ask("POST", "/api/v1/keys", {"name": "own", "role": "owner"}).status == 422
    assert shared.owner().ask("DELETE", f"/api/v1/keys/{own['id']}").status == 204


def test_a_role_and_a_ban_count_at_once(shared: House) -> None:
    owner, bob = shared.owner(), shared.joined("Bob of roles")
    id = bob.json("GET", "/api/v1/session")["id"]
    owner.json("PATCH", f"/api/v1/people/{id}", {"role": "viewer"})
    assert bob.ask("POST", "/api/v1/jobs", {"prompt": "x"}).status == 403
    owner.json("PATCH", f"/api/v1/people/{id}", {"role": "owner"})
    assert bob.ask("GET", "/api/v1/people").status == 200
    owner.json("PATCH", f"/api/v1/people/{id}", {"is_disabled": True})
    assert not bob.is_in
    bob.sign_in("Bob of roles", status=401)
    owner.json("PATCH", f"/api/v1/people/{id}", {"is_disabled": False})
    bob.sign_in("Bob of roles")


@pytest.mark.parametrize("change", [{"role": "artist"}, {"is_disabled": True}])
def test_links_of_an_owner_end_with_their_rank(shared: House, change: dict[str, object]) -> None:
    owner, eve = (
        shared.owner(),
        shared.joined("Eve as " + "".join(change).replace("_", " "), "owner"),
    )
    id = eve.json("GET", "/api/v1/session")["id"]
    offers = [eve.json("POST", "/api/v1/invitations", {"role": "owner"}, 201)["path"]]
    offers.append(eve.json("POST", "/api/v1/people/local/reset", status=201)["path"])
    owner.json("PATCH", f"/api/v1/people/{id}", change)
    for path in offers:
        back = {"name": "Eve again", "password": OTHER}
        assert shared.visitor().ask("POST", f"/api/v1{path}", back).status == 404


def test_a_removed_person_shows_nothing_any_more(shared: House) -> None:
    owner, bob = shared.owner(), shared.joined("Bob of albums")
    id = bob.json("GET", "/api/v1/session")["id"]
    wish = {"title": "Cats", "is_for_team": True}
    album = bob.json("POST", "/api/v1/albums", wish, 201)["id"]
    asked = {"prompt": "x", "size": "64x64", "steps": 1, "response_format": "url"}
    (made,) = bob.json("POST", "/v1/images/generations", asked)["data"]
    file = made["url"].removeprefix(shared.site.origin)
    assert shared.visitor().ask("GET", file).status == 200
    link = bob.json("POST", f"/api/v1/albums/{album}/links", {}, 201)["path"]
    assert shared.visitor().ask("GET", f"{link}/album").status == 200
    assert owner.ask("DELETE", f"/api/v1/people/{id}").status == 204
    assert shared.visitor().ask("GET", f"{link}/album").status == 404
    assert shared.visitor().ask("GET", file).status == 404
    assert owner.ask("GET", f"/api/v1/albums/{album}").status == 404
    assert album not in {each["id"] for each in owner.json("GET", "/api/v1/albums")}


def test_what_a_browser_keeps_is_for_whoever_was_signed_in(shared: House) -> None:
    ann = shared.joined("Ann of caches")
    job = ann.json(
        "POST", "/api/v1/jobs", {"width": 64, "height": 64, "sampling": {"steps": 1}}, 202
    )
    finished(shared.studio, JobId(job["id"]))
    (picture,) = ann.json("GET", f"/api/v1/jobs/{job['id']}")["pictures"]
    for path in (picture["url"], picture["thumbnail"]):
        assert ann.ask("GET", path).one("vary").lower() == "cookie"
    assert '"cache"' in ann.ask("DELETE", "/api/v1/session").one("clear-site-data")


def test_who_is_shown_out_leaves_no_work_behind(tmp_path: Path) -> None:
    with open_house(tmp_path, seconds_per_step=0.2) as house:
        owner, bob = house.owner(), house.joined("Bob")
        id = bob.json("GET", "/api/v1/session")["id"]
        request = {"sampling": {"steps": 150}}
        jobs = [bob.json("POST", "/api/v1/jobs", request, 202)["id"] for _ in range(3)]
        owner.json("PATCH", f"/api/v1/people/{id}", {"is_disabled": True})
        states = {finished(house.studio, JobId(job)).state for job in jobs}
        assert states == {JobState.CANCELLED}


def test_a_removed_person_is_out_and_not_listed(shared: House) -> None:
    owner, bob = shared.owner(), shared.joined("Bob who left")
    id = bob.json("GET", "/api/v1/session")["id"]
    assert owner.ask("DELETE", f"/api/v1/people/{id}").status == 204
    assert not bob.is_in
    assert "Bob who left" not in {p["name"] for p in owner.json("GET", "/api/v1/people")}
    removed = owner.json("GET", "/api/v1/people?removed=true")
    assert "Bob who left" in {person["name"] for person in removed}


@pytest.mark.parametrize("role", ["viewer", "artist"])
def test_only_owners_run_the_studio(shared: House, role: str) -> None:
    visitor = shared.joined(f"Just {role}", role)
    for method, path, body in (
        ("GET", "people", None),
        ("POST", "people", {"name": "Mallory"}),
        ("GET", "people/diary", None),
        ("PATCH", "people/local", {"role": "viewer"}),
        ("DELETE", "people/local", None),
        ("POST", "people/local/reset", None),
        ("GET", "people/local/sessions", None),
        ("DELETE", "people/local/sessions", None),
        ("GET", "invitations", None),
        ("POST", "invitations", {}),
        ("GET", "keys/all", None),
    ):
        assert visitor.ask(method, f"/api/v1/{path}", body).status == 403, (method, path)


def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    with open_house(tmp_path) as before:
        cookies = before.owner().cookies
    with open_house(tmp_path) as after:
        assert Visitor(site=after.site, cookies=cookies).is_in


def test_the_diary_names_who_did_what(shared: House) -> None:
    owner, bob = shared.owner(), shared.joined("Bob of the diary")
    shared.visitor().sign_in("Bob of the diary", "wrong", status=401)
    id = bob.json("GET", "/api/v1/session")["id"]
    owner.json("PATCH", f"/api/v1/people/{id}", {"role": "viewer"})
    lines = owner.json("GET", "/api/v1/people/diary?limit=2")
    assert lines["next"] is not None
    told = [(line["kind"], line["actor"], line["subject"]) for line in lines["lines"]]
    assert told == [
        ("person_changed", "Ada", "Bob of the diary"),
        ("sign_in_failed", "", "Bob of the diary"),
    ]
