"""Pictures put together and shown to others by a link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=390, height=844)
PROMPT = "a picture for everyone"


def test_a_picture_goes_into_an_album_and_out_by_a_link(
    page: StudioPage, browser: Browser, site: Site
) -> None:
    page.set("txt2img_steps", 2)
    page.make("txt2img", PROMPT)
    page.tab("history")
    history = page.page.locator("gesso-history")
    tile = history.locator(f".tile[title='{PROMPT}']").first
    tile.click()
    page.page.locator("#history_make_again").click()
    expect(page.notice("It is being made")).to_be_visible()
    page.page.locator("#history_add_to_album").click()
    history.get_by_label("Name of the new album").fill("Shown to friends")
    history.get_by_role("button", name="Add", exact=True).click()
    expect(page.notice("Added to the album.")).to_be_visible()

    page.page.locator("#history_album").select_option(label="Shown to friends (1)")
    expect(history.locator(".tile")).to_have_count(1)
    page.page.locator("#history_album_edit").click()
    page.page.locator("#album_link_make").click()
    link = page.page.locator("#album_link")
    expect(link).to_have_value(re.compile(r"/shared/[\w-]{43}$"))

    visitor = browser.new_page(viewport=PHONE)
    visitor.goto(link.input_value())
    expect(visitor.get_by_role("heading", name="Shown to friends")).to_be_visible()
    expect(visitor.locator("li img")).to_have_count(1)
    assert PROMPT not in visitor.content()
    history.get_by_role("button", name=re.compile("Revoke the link")).click()
    expect(history.locator("dialog.album li")).to_have_count(0)
    visitor.reload()
    expect(visitor.get_by_text("expired or was taken back")).to_be_visible()
    visitor.close()

    history.get_by_role("button", name="Remove album").click()
    history.get_by_role("button", name="Really remove?").click()
    albums = page.page.locator("#history_album")
    expect(albums.locator("option")).to_have_text(["All my pictures"])
    expect(albums).to_have_css("appearance", "auto")  # its arrow says that it is a list
