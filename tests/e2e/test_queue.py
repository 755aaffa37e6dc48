"""The queue in a window: order, pauses, and what is said before Generate is pressed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def queue_up(page: StudioPage, *words: str) -> None:
    """One job that takes long, and jobs that wait behind it."""
    page.set("txt2img_steps", 150)
    page.set("txt2img_batch_count", 20)
    page.generate("txt2img", "runs for long")
    expect(page.results("txt2img").locator(".queue-strip li.running")).to_have_count(1)
    for word in words:
        page.generate("txt2img", word)


def test_jobs_are_put_in_order_held_and_cancelled_by_keyboard(page: StudioPage) -> None:
    queue_up(page, "alpha", "beta")
    strip = page.results("txt2img").locator(".queue-strip")
    opener = strip.get_by_role("button", name="Put the queue in order")
    expect(opener).to_have_text("Queue +1")
    expect(opener).to_be_in_viewport(ratio=1)
    opener.press("Enter")
    rows = strip.get_by_role("list", name="My jobs").get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("alpha")
    strip.get_by_role("button", name="First of mine: beta").press("Enter")
    expect(rows.nth(1)).to_contain_text("beta")
    strip.get_by_role("button", name="Pause: beta").press("Enter")
    expect(rows.nth(2)).to_contain_text("beta")
    expect(rows.nth(2)).to_contain_text("paused")
    strip.get_by_role("button", name="Cancel all mine").press("Enter")
    expect(rows).to_have_count(0)


def test_what_is_open_takes_escape_and_no_job_is_cancelled(page: StudioPage, site: Site) -> None:
    queue_up(page, "alpha")
    strip = page.results("txt2img").locator(".queue-strip")
    panel = strip.locator(".queue-panel")
    opener = strip.get_by_role("button", name="Put the queue in order")
    opener.click()
    strip.get_by_role("button", name="Pause: alpha").press("Escape")
    expect(panel).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    page.prompt("txt2img").press("Escape")
    expect(panel).to_be_hidden()
    opener.click()
    strip.get_by_role("button", name="Close the queue").click()
    expect(panel).to_be_hidden()
    opener.click()
    page.prompt("txt2img").click()
    expect(panel).to_be_hidden()
    page.page.locator("#txt2img_sampling input").click()
    page.page.keyboard.press("Escape")
    page.page.get_by_role("button", name="Networks").click()
    networks = page.page.locator("gesso-cards[mode=txt2img]")
    opener.click()
    page.prompt("txt2img").focus()
    page.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(networks).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(networks).to_be_hidden()
    expect(page.prompt("txt2img")).to_be_focused()
    assert [job["state"] for job in site.get("/api/v1/state")["jobs"]] == ["running", "queued"]


def test_that_all_of_ones_own_are_paused_is_said_until_they_go_on(page: StudioPage) -> None:
    queue_up(page, "alpha")
    strip = page.results("txt2img").locator(".queue-strip")
    strip.get_by_role("button", name="Put the queue in order").click()
    strip.get_by_role("button", name="Pause all mine").click()
    expect(strip.get_by_role("button", name="Paused with all of mine: alpha")).to_be_disabled()
    strip.get_by_role("button", name="Cancel all mine").click()
    line = page.page.locator("#txt2img_ahead")
    expect(line).to_contain_text("Your jobs are paused")
    expect(page.status).to_contain_text("Your jobs are paused")
    line.get_by_role("button", name="Let my jobs go on").click()
    expect(page.status).not_to_contain_text("paused")
    expect(line).to_contain_text(re.compile("about|not known"))
    page.page.locator("gesso-status button").wait_for(state="hidden")


@pytest.mark.slow
def test_the_line_says_why_a_size_is_none_and_nothing_of_scripts(page: StudioPage) -> None:
    line = page.page.locator("#txt2img_ahead")
    page.set("txt2img_width", 257)
    expect(line).to_have_text(re.compile("Width 257 is not a multiple of 8"))
    page.set("txt2img_width", 64)
    expect(line).to_contain_text(re.compile("about|not known"))
    page.page.locator("#txt2img_script_list input").click()
    page.page.get_by_role("option", name="X/Y/Z plot", exact=True).click()
    expect(line.locator(".words")).to_be_empty()


def test_what_generate_will_take_is_said_before_it_is_pressed(page: StudioPage) -> None:
    line = page.page.locator("#txt2img_ahead")
    expect(line).not_to_be_empty()
    page.generate("txt2img", "one to learn from")
    expect(page.picture("txt2img", "one to learn from")).to_be_visible(timeout=30_000)
    page.set("txt2img_steps", 30)
    expect(line).to_contain_text("about")
    expect(page.page.locator("#txt2img_generate")).to_have_attribute(
        "aria-describedby", "txt2img_ahead"
    )


@pytest.mark.slow
def test_the_queue_is_put_in_order_on_a_phone(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    queue_up(page, "alpha", "beta")
    strip = page.results("txt2img").locator(".queue-strip")
    strip.get_by_role("button", name="Put the queue in order").tap()
    pause = strip.get_by_role("button", name="Pause: alpha")
    pause.tap()
    expect(strip.get_by_role("button", name="Let go on: alpha")).to_be_visible()
    box = strip.get_by_role("button", name="Let go on: alpha").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    cancel = strip.get_by_role("button", name="Cancel: alpha").last.bounding_box()
    assert cancel is not None
    assert cancel["y"] == box["y"]
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
