"""The PNG info tab, and verifying a picture from the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage
from tests.imaging.test_foreign import CASES, png_with

pytestmark = pytest.mark.browser


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """A picture as ComfyUI saves it."""
    (tmp_path / "comfy.png").write_bytes(png_with(CASES["ComfyUI"][0]))
    return tmp_path / "comfy.png"


def test_a_picture_of_another_program_is_explained_and_used(page: StudioPage, comfy: Path) -> None:
    page.tab("pnginfo")
    info = page.page.locator("gesso-png-info")
    page.page.locator("#pnginfo_image").set_input_files(comfy)
    expect(info.locator(".by")).to_have_text("Made with ComfyUI")
    expect(info.locator(".missing")).to_contain_text("the checkpoint “real”")
    expect(info.locator(".missing")).to_contain_text("the network “ink”")
    expect(info.locator("tr", has_text="Steps")).to_contain_text("20")
    info.locator("#pnginfo_send_to_txt2img").click()
    expect(page.prompt("txt2img")).to_have_value("a castle <lora:ink:0.7>")
    expect(page.number("txt2img_steps")).to_have_value("20")
    expect(page.number("txt2img_height")).to_have_value("768")


@pytest.mark.parametrize("mode", ["img2img", pytest.param("inpaint", marks=pytest.mark.slow)])
def test_a_picture_goes_from_there_to_a_tab(page: StudioPage, comfy: Path, mode: str) -> None:
    page.tab("pnginfo")
    page.page.locator("#pnginfo_image").set_input_files(comfy)
    page.page.locator(f"#pnginfo_send_to_{mode}").click()
    expect(page.prompt(mode)).to_have_value("a castle <lora:ink:0.7>")
    shown = {"img2img": "#img2img_image img", "inpaint": "#img2maskimg canvas"}[mode]
    expect(page.page.locator(shown).first).to_be_visible()


def test_verify_says_that_the_same_pixels_came_out(
    page: StudioPage, site: Site, request: pytest.FixtureRequest
) -> None:
    page.set("txt2img_steps", 2)
    page.make("txt2img", request.node.name)
    before = len(site.get("/api/v1/pictures?limit=200")["pictures"])
    page.page.locator("#txt2img_verify").click()
    notice = page.page.locator("gesso-notices .notice", has_text="Identical")
    expect(notice).to_be_visible()
    assert len(site.get("/api/v1/pictures?limit=200")["pictures"]) == before
