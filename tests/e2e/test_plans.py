"""Scripts through the page: a plot becomes a grid, faults are shown where they are."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser
PLOT = "script_txt2img_xyz_plot"


def choose(page: StudioPage, id: str, label: str) -> None:
    """Choose from a drop-down list."""
    box = page.page.locator(f"#{id} input")
    box.click()
    page.page.get_by_role("option", name=label, exact=True).click()
    expect(box).to_have_value(label)


def write(page: StudioPage, id: str, text: str) -> None:
    page.page.locator(f"#{id} textarea").fill(text)


def plan(page: StudioPage) -> Locator:
    return page.page.locator("gesso-plans[mode=txt2img] li")


def small(page: StudioPage) -> None:
    """Settings that make small pictures fast."""
    for id, value in (("width", 64), ("height", 64), ("steps", 2)):
        page.set(f"txt2img_{id}", value)


def test_a_plot_becomes_a_grid_that_can_be_looked_at(window: OpenWindow, own_site: Site) -> None:
    page = window(at=own_site)
    small(page)
    expect(page.page.locator(f"#{PLOT}_x_values")).to_be_hidden()
    choose(page, "txt2img_script_list", "X/Y/Z plot")
    write(page, f"{PLOT}_x_values", "1, 2")
    choose(page, f"{PLOT}_y_type", "Steps")
    write(page, f"{PLOT}_y_values", "3-200 (+197)")
    page.generate("txt2img", "a cat")
    fault = page.page.locator("gesso-fault[mode=txt2img]")
    expect(fault).to_contain_text("Y axis, Steps “200”: Steps 200 is too large")
    expect(page.page.locator(f"#{PLOT}_y_values textarea")).to_be_focused()

    write(page, f"{PLOT}_y_values", "3, 4")
    page.page.locator("#txt2img_generate").click()
    expect(plan(page)).to_contain_text("X/Y/Z plot · 4 of 4", timeout=DONE_MS)
    plan(page).get_by_role("button", name="Grid", exact=True).click()
    expect(page.page.locator("gesso-lightbox dialog img")).to_be_visible()
    page.page.keyboard.press("Escape")
    plan(page).get_by_role("button", name="Hide this plan").click()
    expect(plan(page)).to_be_hidden()


@pytest.mark.slow
def test_a_long_plan_is_paused_and_cancelled(window: OpenWindow, own_site: Site) -> None:
    page = window(at=own_site)
    small(page)
    choose(page, "txt2img_script_list", "Many pictures")
    page.page.locator("#script_txt2img_many_count input").fill("5000")
    page.generate("txt2img", "a dog")
    expect(plan(page)).to_contain_text("of 5000 · running", timeout=DONE_MS)
    words = page.results("txt2img").locator(".head .words")
    # whatever its jobs do just then, it is not "Started in another window"
    expect(words).to_have_text(re.compile(r"^(Step \d|Getting ready|Saving|Next|1 picture)"))
    plan(page).get_by_role("button", name="Pause").click()
    expect(plan(page)).to_contain_text("paused")
    page.page.reload()
    plan(page).get_by_role("button", name="Cancel plan").click()
    expect(plan(page)).to_contain_text("cancelled")


@pytest.mark.slow
def test_what_a_plot_is_to_vary_outlives_a_reload(page: StudioPage) -> None:
    choose(page, "txt2img_script_list", "X/Y/Z plot")
    choose(page, f"{PLOT}_y_type", "Steps")
    write(page, f"{PLOT}_y_values", "3, 4, 55")
    page.page.wait_for_function("sessionStorage.getItem('gesso.drafts')?.includes('3, 4, 55')")
    page.page.reload(wait_until="commit")
    expect(page.page.locator(f"#{PLOT}_y_values textarea")).to_be_visible(timeout=DONE_MS)
    expect(page.page.locator(f"#{PLOT}_y_values textarea")).to_have_value("3, 4, 55")
    expect(page.page.locator(f"#{PLOT}_y_type input")).to_have_value("Steps")
    expect(page.page.locator("#txt2img_script_list input")).to_have_value("X/Y/Z plot")
