"""The canvas of the Inpaint tab: what is painted is what the job gets, whatever else happened."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage
from tests.e2e.test_making import paint

pytestmark = pytest.mark.browser


@pytest.fixture
def masks(page: StudioPage, site: Site, noise: Path) -> Callable[[str], np.ndarray]:
    """The Inpaint tab with a picture on its canvas; calling it generates and gives the mask."""
    page.set("txt2img_steps", 1)
    page.tab("inpaint")
    page.set("inpaint_steps", 1)
    page.load_into_editor(noise)
    expect(page.number("inpaint_height")).to_have_value("192")

    def made(prompt: str) -> np.ndarray:
        page.make("inpaint", prompt)
        mask = site.newest("inpaint", prompt)["recipe"]["mask"]["image"]
        data = site.read(f"/api/v1/inputs/{mask}")
        return np.asarray(Image.open(io.BytesIO(data)).convert("L")) > 127

    return made


def tool(page: StudioPage, name: str) -> Locator:
    return page.page.locator(f"#img2maskimg button[aria-label={name}]")


@pytest.mark.slow
def test_a_stroke_can_be_undone_erased_and_painted_again(
    page: StudioPage, masks: Callable[[str], np.ndarray]
) -> None:
    paint(page)
    stroke = masks("one stroke")
    assert 0.02 < stroke.mean() < 0.5
    tool(page, "Undo").click()
    page.generate("inpaint", "no stroke")
    expect(page.page.locator("gesso-fault[mode=inpaint]")).to_contain_text("The mask is empty")
    paint(page)
    assert (masks("a stroke again") == stroke).mean() > 0.99


@pytest.mark.slow
def test_painting_goes_on_after_a_restore_in_another_tab(
    page: StudioPage, masks: Callable[[str], np.ndarray]
) -> None:
    paint(page)
    before = masks("before the restore")
    page.tab("txt2img")
    page.make("txt2img", "an owl beside the canvas")
    page.page.locator("#txt2img_use_settings").click()
    expect(page.notice("Placed in txt2img")).to_be_visible()
    page.tab("inpaint")
    assert (masks("after the restore") == before).all()


@pytest.mark.slow
def test_painting_goes_on_after_a_restored_mask(
    page: StudioPage, masks: Callable[[str], np.ndarray]
) -> None:
    paint(page)
    before = masks("a mask to restore")
    page.page.locator("#inpaint_use_settings").click()
    expect(page.notice("Placed in Inpaint")).to_be_visible()
    assert (masks("a restored mask") == before).all()


@pytest.mark.slow
def test_a_picture_that_is_sent_can_be_painted(page: StudioPage, site: Site) -> None:
    page.set("txt2img_steps", 1)
    page.make("txt2img", "an owl to paint on")
    page.page.locator("#txt2img_send_to_inpaint").click()
    expect(page.notice("Placed in Inpaint")).to_be_visible()
    expect(page.page.locator("#img2maskimg .pixi-target canvas")).to_be_visible()
    paint(page)
    page.page.locator("#inpaint_generate").click()
    expect(page.picture("inpaint", "an owl to paint on")).to_be_visible(timeout=DONE_MS)
    assert site.newest("inpaint", "an owl to paint on")["recipe"]["mask"] is not None


@pytest.mark.slow
def test_what_is_wrong_is_seen_from_the_end_of_the_page(page: StudioPage) -> None:
    page.tab("inpaint")
    page.number("inpaint_batch_count").scroll_into_view_if_needed()
    page.generate("inpaint", "an owl without a picture")
    fault = page.page.locator("gesso-fault[mode=inpaint]")
    expect(fault).to_contain_text("There is no")
    expect(fault).to_be_in_viewport(ratio=1)


def test_a_file_that_the_canvas_cannot_read_is_named(page: StudioPage, tmp_path: Path) -> None:
    page.allowed = ("could not be decoded",)  # the canvas's own word, for no one's eyes
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    page.tab("inpaint")
    page.load_into_editor(tmp_path / "half.png")
    expect(page.notice("half.png can't be opened as a picture")).to_be_visible()
