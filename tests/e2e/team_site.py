"""A server on which people sign in, and what they do there beside their browsers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

OWNER = "Ida"
PASSWORD = "four words in a row"


class TeamSite(Site):
    """A server with accounts. `owner` is a program that acts as its owner, once there is one."""

    def __init__(self, folder: Path, seconds_per_step: float, **settings: object) -> None:
        super().__init__(folder, seconds_per_step, settings={"sign_in": True, **settings})
        self.owner = self.visitor()

    def visitor(self, **headers: str) -> httpx.Client:
        """A program without a credential, that keeps the cookies it is given."""
        return httpx.Client(base_url=self.url, headers={"X-Gesso": "1", **headers}, timeout=30)

    def make_owner(self) -> None:
        """The first account, without a browser."""
        sent(self.owner, "POST", "/api/v1/first-run", name=OWNER, password=PASSWORD)

    def invite(self, **offer: object) -> str:
        """The path of a new link of the owner's."""
        return str(sent(self.owner, "POST", "/api/v1/invitations", **offer)["path"])

    def join(self, name: str, role: str = "artist") -> httpx.Client:
        """Somebody who followed an invitation."""
        visitor = self.visitor()
        path = self.invite(role=role)
        sent(visitor, "POST", f"/api/v1{path}", name=name, password=PASSWORD)
        return visitor


def sent(client: httpx.Client, method: str, path: str, **body: object) -> Any:
    """The JSON that a request is answered with; it must not be refused."""
    answer = client.request(method, path, json=body or None)
    assert answer.is_success, (method, path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


def sign_up(page: Page, name: str, password: str = PASSWORD) -> None:
    """Choose a name and a password, on the page of an invitation or of the first start."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def studio_of(page: Page, site: Site) -> StudioPage:
    """The studio that a window shows after signing in, once it is up to date."""
    expect(page.locator("#txt2img_generate")).to_be_visible(timeout=DONE_MS)
    studio = StudioPage(page, site)
    expect(studio.status).to_contain_text("on Test patterns", timeout=DONE_MS)
    page.locator("body[data-filled]").wait_for(timeout=DONE_MS)
    return studio
