"""The Extras tab in a browser: one picture, several, and a picture sent from another tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser


def enlarged(site: Site) -> list[dict[str, Any]]:
    """Pictures of the tab, newest first."""
    found: list[dict[str, Any]] = site.get("/api/v1/pictures?mode=extras")["pictures"]
    return found


def test_a_picture_is_enlarged_and_found_again(page: StudioPage, site: Site, noise: Path) -> None:
    page.tab("extras")
    expect(page.results("extras")).to_contain_text("press Upscale")
    page.page.set_input_files("#extras_image input[type=file]", noise)
    page.set("extras_upscaling_resize", 1.5)
    page.page.locator("#extras_generate").click()
    shown = page.results("extras").locator(".stage .picture img")
    expect(shown).to_be_visible(timeout=DONE_MS)
    expect(page.results("extras").locator(".recipe .words")).to_have_text("Lanczos · 384×288")
    page.page.locator("#extras_compare").click()
    expect(page.results("extras").get_by_role("slider", name="Before and after")).to_be_focused()
    (picture,) = enlarged(site)
    assert (picture["width"], picture["height"]) == (384, 288)
    page.tab("history")
    page.page.get_by_label("Which pictures").select_option("extras")
    expect(page.page.locator("gesso-history .tile")).to_have_count(1)


def test_without_a_picture_its_place_is_marked(page: StudioPage, noise: Path) -> None:
    page.tab("extras")
    page.page.locator("#extras_generate").click()
    fault = page.page.locator("gesso-fault[mode=extras]")
    expect(fault).to_contain_text("There is no picture.")
    page.page.set_input_files("#extras_image input[type=file]", noise)
    expect(fault).to_be_empty()


def test_a_picture_is_sent_enlarged_and_its_settings_used_again(
    page: StudioPage, site: Site
) -> None:
    page.set("txt2img_steps", 1)
    page.set("txt2img_width", 128)
    page.set("txt2img_height", 64)
    page.make("txt2img", "an owl to enlarge")
    page.page.locator("#txt2img_send_to_extras").click()
    expect(page.page.locator("#tab_extras")).to_be_visible()
    expect(page.page.locator("#extras_image img")).to_be_visible()
    page.open_group("extras_exact_size")
    page.set("extras_upscaling_resize_w", 200)
    page.set("extras_upscaling_resize_h", 200)
    page.page.locator("#extras_generate").click()
    expect(page.picture("extras", "an owl to enlarge")).to_be_visible(timeout=DONE_MS)
    assert (enlarged(site)[0]["width"], enlarged(site)[0]["height"]) == (200, 200)
    page.set("extras_upscaling_resize_w", 0)
    page.page.locator("#extras_use_settings").click()
    expect(page.number("extras_upscaling_resize_w")).to_have_value("200")


def test_several_pictures_are_enlarged_each(page: StudioPage, site: Site, noise: Path) -> None:
    other = noise.with_name("other.png")
    other.write_bytes(noise.read_bytes())
    before = len(enlarged(site))
    page.tab("extras")
    page.open_group("extras_several")
    page.page.set_input_files("#extras_image_batch input[type=file]", [noise, other])
    expect(page.page.locator("#extras_image_batch")).to_contain_text("other")
    page.page.locator("#extras_generate").click()
    plans = page.page.locator("#extras_results gesso-plans")
    expect(plans).to_contain_text("Folder · 2 of 2 · done", timeout=DONE_MS)
    assert len(enlarged(site)) == before + 2
