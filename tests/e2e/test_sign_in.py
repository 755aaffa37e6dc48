"""The pages before the studio, in a browser: signing in, invitations, the first owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI, Response
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.api.accounts import OTHER, OWNER, PASSWORD, House, open_house
from webui.gate.access import Access, needs

pytestmark = pytest.mark.browser

SENT_BACK = {"Location": "/sign-in?next=%2F"}
PHONE = {"width": 390, "height": 844}
HOSTILE = (
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\/evil.example",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "/.//evil.example/",
    "/..//evil.example/",
    "/%2e//evil.example/",
    "https://evil.example/",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "@evil.example",
    "/@evil.example/../..//evil.example",
    " //evil.example",
    "evil.example",
)


def add_studio_page(app: FastAPI) -> None:
    """Stands for the page of the studio, which takes seconds to load."""

    @app.get("/")
    @needs(Access.PERSON, is_page=True)
    def show_studio() -> Response:
        return Response("<!doctype html><h1>The studio</h1>", media_type="text/html")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A studio with an owner."""
    with open_house(tmp_path_factory.mktemp("house"), add_studio_page) as opened:
        opened.owner()
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of the test's own."""
    made = browser.new_context(viewport={"width": 1366, "height": 768})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of it."""
    return context.new_page()


def at(house: House, path: str) -> str:
    return house.site.origin + path


def is_in_studio(page: Page) -> None:
    expect(page.get_by_role("heading", name="The studio")).to_be_visible()


def sign_in(page: Page, name: str = OWNER, password: str = PASSWORD) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def serious(page: Page) -> list[tuple[str, object]]:
    """What axe finds: rule and place."""
    result: dict[str, Any] = Axe().run(page).response
    return [(v["id"], node["target"]) for v in result["violations"] for node in v["nodes"]]


def test_a_wrong_password_is_told_and_the_right_one_lets_in(house: House, page: Page) -> None:
    page.goto(at(house, "/"))
    expect(page).to_have_url(at(house, "/sign-in?next=%2F"))
    sign_in(page, password="not the password")
    expect(page.get_by_role("alert")).to_have_text(re.compile("don't fit"))
    expect(page.get_by_label("Name", exact=True)).to_have_value(OWNER)
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    sign_in(page)
    is_in_studio(page)


def test_a_link_from_elsewhere_finds_who_is_signed_in(house: House, page: Page) -> None:
    page.goto(at(house, "/sign-in"))
    sign_in(page)
    is_in_studio(page)
    elsewhere = at(house, "/sign-in").replace("localhost", "127.0.0.1")
    for path in ("/", "/sign-in?next=%2F"):
        page.goto(elsewhere)
        page.evaluate(
            """address => {
                 const link = document.createElement("a");
                 link.href = address;
                 link.textContent = "Look at my pictures";
                 document.body.prepend(link);
               }""",
            at(house, path),
        )
        page.get_by_role("link", name="Look at my pictures").click()
        is_in_studio(page)


@pytest.mark.slow
def test_who_is_sent_back_for_ever_is_told(house: House, page: Page) -> None:
    page.goto(at(house, "/sign-in"))
    sign_in(page)
    is_in_studio(page)
    page.route(at(house, "/"), lambda route: route.fulfill(status=303, headers=SENT_BACK))
    page.goto(at(house, "/"))
    expect(page.get_by_role("link", name="Go on to the studio")).to_be_visible()


def test_nothing_leads_to_another_site(house: House, page: Page) -> None:
    page.goto(at(house, "/sign-in"))
    origins = page.evaluate(
        """async addresses => {
             const { nextAddress } = await import("/assets/account/next.js");
             return addresses.map((asked) => {
               const query = "?" + new URLSearchParams({ next: asked });
               // As a browser would take it, from any page.
               return new URL(nextAddress(query, location.origin), "https://other.example").origin;
             });
           }""",
        HOSTILE,
    )
    assert dict(zip(HOSTILE, origins, strict=True)) == dict.fromkeys(HOSTILE, house.site.origin)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/?tab=history#x", "/?tab=history#x"),
        ("/sign-in?next=/", "/"),
        ("", "/"),
        ("/a b", "/a%20b"),
    ],
)
def test_signing_in_goes_on_to_what_was_asked_for(
    house: House, page: Page, asked: str, path: str
) -> None:
    page.goto(at(house, "/sign-in"))
    address = page.evaluate(
        """async asked => (await import("/assets/account/next.js"))
             .nextAddress("?" + new URLSearchParams({ next: asked }), location.origin)""",
        asked,
    )
    assert address == at(house, path)


def test_an_invitation_is_taken_up_on_a_phone(house: House, browser: Browser) -> None:
    offer = {"role": "artist"}
    link = house.owner().json("POST", "/api/v1/invitations", offer, 201)["path"]
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(at(house, link))
    expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sizes = page.locator("input, button").evaluate_all("all => all.map((e) => e.offsetHeight)")
    assert min(sizes) >= 36
    page.get_by_label("Name", exact=True).fill("Bob")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Make my account").tap()
    expect(page.get_by_role("alert")).to_have_text(re.compile("10 or more"))
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.get_by_label("Password", exact=True).fill(OTHER)
    page.get_by_role("button", name="Make my account").tap()
    is_in_studio(page)
    page.goto(at(house, link))
    expect(page.get_by_role("alert")).to_have_text(re.compile("used up"))
    context.close()


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing(house: House, page: Page, theme: Any) -> None:
    owner = house.owner()
    guest = owner.json("POST", "/api/v1/invitations", {"kind": "guest"}, 201)["path"]
    reset = owner.json("POST", "/api/v1/people/local/reset", status=201)["path"]
    page.emulate_media(color_scheme=theme)
    for path in ("/sign-in", guest, reset, "/join/nothing"):
        page.goto(at(house, path))
        expect(page.locator("main")).to_be_visible()
        assert serious(page) == [], path
    page.goto(at(house, "/sign-in"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Name is missing. Type it.")
    assert serious(page) == []


def test_the_first_owner_comes_in_from_any_page(page: Page, tmp_path: Path) -> None:
    with open_house(tmp_path, add_studio_page) as empty:
        page.goto(at(empty, "/"))
        expect(page).to_have_url(at(empty, "/first-run"))
        assert serious(page) == []
        sign_in(page)
        is_in_studio(page)
        page.goto(at(empty, "/first-run"))
        is_in_studio(page)
