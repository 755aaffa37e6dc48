"""The queue in a window: order, pauses, and what is said before Generate is pressed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenWindow
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
    strip.get_by_role("button", name="Put the queue in order").press("Enter")
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
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
