"""The API as a whole: every part is found, described, decided on, and safe from other sites."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from tests.api.conftest import Client, error_of
from tests.gate.site import Site, serving
from webui.api.build import ASSETS, build_api
from webui.api.errors import STATUSES, add_error_handlers
from webui.core.errors import (
    DiskFull,
    EngineDied,
    GessoError,
    InvalidRequest,
    ModelUnreadable,
    NotFound,
    NotPermitted,
    OutOfMemory,
    UnreadablePicture,
)
from webui.gate.access import Access, needs
from webui.gate.audit import audit
from webui.gate.server import protect


def test_the_description_carries_the_ranges(empty_client: Client) -> None:
    schemas = empty_client.json("/api/v1/openapi.json")["components"]["schemas"]
    width = schemas["GenerationRequest"]["properties"]["width"]["anyOf"][0]
    assert (width["minimum"], width["maximum"], width["multipleOf"]) == (64, 2048, 8)


OPEN = {
    "/health",
    # ways in
    "/sign-in",
    "/first-run",
    "/join/{token}",
    "/api/v1/session",
    "/api/v1/first-run",
    "/api/v1/join/{token}",
    # what a link shows to whoever has it
    "/shared/{token}",
    "/shared/{token}/album",
    "/shared/{token}/pictures/{picture}",
    "/shared/{token}/pictures/{picture}/thumbnail",
    "/v1/images/files/{token}",
}


def test_every_route_is_decided_on(empty_client: Client) -> None:
    decisions = audit(build_api(empty_client.studio, ASSETS), {})
    assert {d.rule.access for d in decisions} == set(Access) - {Access.CLOSED}
    opened = {d.path for d in decisions if d.rule.access is Access.OPEN}
    assert {path for path in opened if not path.startswith("/assets/")} == OPEN


def test_no_page_of_fastapi_loads_scripts_from_elsewhere(empty_client: Client) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"):
        assert empty_client.get(path).status == 404


def test_every_asset_is_served_and_nothing_else(empty_client: Client) -> None:
    files = [file for file in ASSETS.rglob("*") if file.is_file()]
    for file in files:
        path = f"/assets/{file.relative_to(ASSETS).as_posix()}"
        answer = empty_client.get(path)
        assert (answer.status, answer.body) == (200, file.read_bytes())
        again = empty_client.get(path, ("If-None-Match", answer.one("etag")))
        assert again.status == 304
    assert len(files) > 5
    assert empty_client.get("/assets/").status == 404
    assert empty_client.get("/assets/none.js").status == 404


def test_an_asset_that_was_changed_is_sent_again(client: Client, tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("one()")
    with serving(protect(build_api(client.studio, tmp_path))) as site:
        tag = site.get("/assets/page.js").one("etag")
        (tmp_path / "page.js").write_text("another()")
        answer = site.get("/assets/page.js", ("If-None-Match", tag))
    assert (answer.status, answer.body) == (200, b"another()")
    assert answer.one("content-type").partition(";")[0].endswith("/javascript")


def test_a_page_can_write_only_with_the_header(empty_client: Client) -> None:
    paths = empty_client.json("/api/v1/openapi.json")["paths"]
    writes = [
        (method.upper(), re.sub(r"\{[^}]+\}", "none", path))
        for path in paths
        for method in paths[path]
        if method != "get" and path.startswith("/api/")  # other programs' APIs know no such header
    ]
    assert len(writes) > 8
    browser = [("Origin", empty_client.site.origin), ("Sec-Fetch-Site", "same-origin")]
    foreign = [("Origin", "http://evil.example"), ("X-Gesso", "1")]
    for method, path in writes:
        refused = empty_client.site.ask(method, path, browser)
        assert (refused.status, b"X-Gesso" in refused.body) == (403, True), path
        passed = empty_client.site.ask(method, path, [*browser, ("X-Gesso", "1")])
        assert passed.status in (200, 201, 202, 204, 400, 401, 404, 415, 422, 429), path
        assert empty_client.site.ask(method, path, foreign).status == 403, path


FAILURES = (
    (InvalidRequest("sampling.steps", "Too many."), 422, "sampling.steps"),
    (ModelUnreadable("x", "it is cut off."), 422, None),
    (NotFound("job", "x"), 404, None),
    (NotPermitted("It is theirs."), 403, None),
    (UnreadablePicture("No picture."), 415, None),
    (DiskFull("No room."), 507, None),
    (EngineDied("It died."), 503, None),
    (OutOfMemory("Too large."), 503, None),
    (GessoError("Something else."), 500, None),
)


@pytest.fixture(scope="module")
def failing_site() -> Iterator[Site]:
    """An API whose routes fail in every way."""
    app, router = FastAPI(openapi_url=None), APIRouter()
    add_error_handlers(app)

    @router.get("/fail/{number}")
    @needs(Access.OPEN)
    def fail(number: int) -> None:
        raise FAILURES[number][0]

    @router.get("/bug")
    @needs(Access.OPEN)
    def bug() -> None:
        raise ZeroDivisionError("planted secret")

    app.include_router(router)
    with serving(protect(app)) as site:
        yield site


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_each_error_has_its_status_and_its_own_words(failing_site: Site, number: int) -> None:
    error, status, field = FAILURES[number]
    assert error_of(failing_site.get(f"/fail/{number}")) == (status, field, str(error))


def test_every_error_of_the_tree_has_a_status() -> None:
    """A new kind of error must not become a 500 by being forgotten."""
    covered = tuple(kind for kind, _ in STATUSES)
    assert [kind for kind in GessoError.__subclasses__() if _is_forgotten(kind, covered)] == []
    assert len({kind for kind, _ in STATUSES}) == len(STATUSES)


def _is_forgotten(kind: type[GessoError], covered: tuple[type[GessoError], ...]) -> bool:
    return kind.__module__ == GessoError.__module__ and not issubclass(kind, covered)


def test_a_bug_tells_the_client_nothing_but_that(failing_site: Site) -> None:
    answer = failing_site.get("/bug")
    status, field, message = error_of(answer)
    assert (status, field) == (HTTPStatus.INTERNAL_SERVER_ERROR, None)
    assert "ZeroDivisionError" in message
    assert b"planted secret" not in answer.body
    assert answer.one("x-content-type-options") == "nosniff"


def test_a_wrong_number_in_the_path_is_named(failing_site: Site) -> None:
    assert error_of(failing_site.get("/fail/x"))[:2] == (422, "number")


def test_addresses_that_do_not_exist_answer_in_the_same_shape(empty_client: Client) -> None:
    assert error_of(empty_client.get("/api/v1/nothing"))[0] == 404
    answer = empty_client.site.ask("PATCH", "/api/v1/jobs")
    assert error_of(answer)[0] == 405
    assert answer.one("allow") == "GET, POST"


def test_the_server_says_that_it_is_up(empty_client: Client) -> None:
    assert json.loads(empty_client.get("/health").body) == {"status": "ok"}
