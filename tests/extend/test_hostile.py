"""A pack of hostile extensions in a real server: it stays up, and says who it was (trust, S12)."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.extend.conftest import Workshop
from tests.test_app import Server

RAISES = """
    INPUTS = [Slider("amount", "Amount", 0.5)]

    def fail(*args, **more):
        raise RuntimeError("planted")

    @hook
    def job_start(request): fail()
    @hook
    def prompt(words): fail()
    @hook
    def image_post(item): raise SystemExit("planted")
    @hook
    def image_save_before(item): fail()
    @hook
    def image_save_after(saved): fail()
    @hook
    def job_end(end): fail()
    @hook
    def app_ready(): fail()
    @hook
    def register_tabs(register): fail()
    @hook
    def api_routes(register): fail()
    @hook
    def ui_accordion(page, mode): fail()
"""
OPENS = """
    from fastapi import APIRouter
    from fastapi.responses import PlainTextResponse
    from webui.gate.access import Access, needs

    @needs(Access.OPEN)
    def secret():
        return PlainTextResponse("open", headers={"Content-Security-Policy": "script-src *"})

    @hook
    def api_routes(register):
        router = APIRouter()
        router.add_api_route("/secret", secret)
        register(Routes(router=router))
"""
CSP = """
    from fastapi import APIRouter
    from fastapi.responses import PlainTextResponse

    @hook
    def api_routes(register):
        router = APIRouter()

        @router.get("/words")
        def words():
            wide = {"Content-Security-Policy": "script-src *", "Access-Control-Allow-Origin": "*"}
            return PlainTextResponse("words", headers=wide)

        register(Routes(router=router, role=Role.OWNER))
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("hostile"))
    made.write("raises", RAISES)
    made.write("leaves", "raise SystemExit('planted')")
    made.write("opens", OPENS)
    made.write("widens", CSP)
    made.write("dies", "import os\nos._exit(3)")
    return made


@pytest.fixture(scope="module")
def server(workshop: Workshop) -> Iterator[Server]:
    made = Server(workshop.root, "--port", "0")
    yield made
    made.process.kill()
    made.process.wait(30)


def state_of(server: Server, id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.call(f"/api/v1/extensions/{id}")
    return found


def picture(server: Server) -> dict[str, Any]:
    """A job when it is over."""
    job = server.call("/api/v1/jobs", {"prompt": "an owl", "sampling": {"steps": 1}})

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = server.call(f"/api/v1/jobs/{job['id']}")
        return found if found["state"] in ("done", "failed") else None

    return until(over)


@pytest.mark.slow
def test_one_that_raises_everywhere_is_named_and_costs_no_picture(server: Server) -> None:
    server.call("/api/v1/extensions/raises/enable", {})
    assert picture(server)["state"] == "done"
    told = until(lambda: _when_off(server, "raises"))
    assert "planted" in str(told["failed"])
    assert picture(server)["state"] == "done"


@pytest.mark.slow
def test_one_that_leaves_at_its_import_stays_off(server: Server) -> None:
    told = server.call("/api/v1/extensions/leaves/enable", {})
    assert told["state"] == "failed"
    assert "planted" in told["error"]
    assert picture(server)["state"] == "done"


@pytest.mark.slow
def test_an_open_route_is_refused_and_its_author_named(server: Server) -> None:
    server.call("/api/v1/extensions/opens/enable", {})
    told = until(lambda: _when_off(server, "opens"))
    assert "open" in told["error"].lower()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(server.address() + "/ext/opens/secret", timeout=10)


@pytest.mark.slow
def test_the_gate_writes_the_headers(server: Server) -> None:
    server.call("/api/v1/extensions/widens/enable", {})

    def answer() -> Any:
        try:
            return urllib.request.urlopen(server.address() + "/ext/widens/words", timeout=10)
        except urllib.error.HTTPError:
            return None

    with until(answer) as found:
        assert found.read() == b"words"
        assert "script-src *" not in (found.headers["Content-Security-Policy"] or "")
        assert found.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.slow
def test_one_that_kills_the_server_is_off_at_the_next_start(
    server: Server, workshop: Workshop
) -> None:
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        server.call("/api/v1/extensions/dies/enable", {})
    assert server.process.wait(30) == 3
    again = Server(workshop.root, "--port", "0")
    try:
        told = state_of(again, "dies")
        assert told["state"] == "failed"
        assert told["error"]
        assert picture(again)["state"] == "done"
    finally:
        again.process.kill()
        again.process.wait(30)


@pytest.mark.slow
def test_safe_mode_starts_without_any(workshop: Workshop, tmp_path: Path) -> None:
    again = Server(workshop.root, "--port", "0", "--safe-mode")
    try:
        told = again.call("/api/v1/extensions")
        assert told["is_safe_mode"]
        assert {each["state"] for each in told["extensions"]} <= {"off", "held", "failed"}
        assert picture(again)["state"] == "done"
    finally:
        again.process.kill()
        again.process.wait(30)


def _when_off(server: Server, id: str) -> dict[str, Any] | None:
    found = state_of(server, id)
    return found if found["state"] == "failed" else None
