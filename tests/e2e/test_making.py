"""Pictures made in each of the three tabs, by mouse and by keyboard."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser


def test_txt2img_makes_a_picture(page: StudioPage, site: Site) -> None:
    page.set("txt2img_width", 320)
    page.set("txt2img_steps", 3)
    page.make("txt2img", "an owl in txt2img")
    recipe = site.newest("txt2img", "an owl in txt2img")["recipe"]
    assert (recipe["width"], recipe["height"], recipe["steps"]) == (320, 256, 3)
    expect(page.results("txt2img").locator(".recipe .words")).to_contain_text(
        f"3 steps DPM++ 2M · guidance 4 · seed {recipe['seed']} · 320×256 · starter"
    )


def test_a_batch_shows_all_its_pictures(page: StudioPage) -> None:
    page.set("txt2img_steps", 1)
    page.set("txt2img_batch_size", 2)
    page.set("txt2img_batch_count", 2)
    page.make("txt2img", "four owls")
    expect(page.results("txt2img").locator(".tile.of-job")).to_have_count(4)
    expect(page.results("txt2img").locator(".head .words")).to_have_text("4 pictures made")


def test_img2img_makes_a_picture(page: StudioPage, site: Site, noise: Path) -> None:
    page.tab("img2img")
    page.page.set_input_files("#img2img_image input[type=file]", noise)
    expect(page.number("img2img_height")).to_have_value("192")
    page.set("img2img_denoising_strength", 0.4)
    page.make("img2img", "an owl in img2img")
    recipe = site.newest("img2img", "an owl in img2img")["recipe"]
    assert (recipe["width"], recipe["height"]) == (256, 192)
    assert recipe["source"]["denoising_strength"] == 0.4
    assert site.read(f"/api/v1/inputs/{recipe['source']['image']}") == noise.read_bytes()


def test_a_painted_mask_changes_what_is_below_it_and_nothing_else(
    page: StudioPage, site: Site, noise: Path
) -> None:
    page.tab("inpaint")
    page.load_into_editor(noise)
    expect(page.number("inpaint_height")).to_have_value("192")
    paint(page)
    page.make("inpaint", "an owl in inpaint")
    made = site.newest("inpaint", "an owl in inpaint")
    mask = opened(site.read(f"/api/v1/inputs/{made['recipe']['mask']['image']}"))
    before, after = opened(noise.read_bytes()), opened(site.read(made["url"]))
    painted = np.asarray(mask.convert("L")) > 0
    blurred = grown(painted, 3 * made["recipe"]["mask"]["blur"])
    changed = (np.asarray(before) != np.asarray(after)).any(axis=2)
    assert 0.005 < painted.mean() < 0.5
    assert changed[painted].mean() > 0.9
    assert not changed[~blurred].any()


def test_no_press_of_generate_is_lost(page: StudioPage, site: Site) -> None:
    page.set("txt2img_steps", 1)
    for number in range(3):
        page.prompt("txt2img").fill(f"an owl in a hurry {number}")
        page.prompt("txt2img").press("Control+Enter")
    for number in range(3):
        assert site.newest("txt2img", f"an owl in a hurry {number}")


def test_ctrl_enter_generates_and_escape_cancels(page: StudioPage, site: Site) -> None:
    page.set("txt2img_steps", 150)
    page.prompt("txt2img").fill("an owl that is cancelled")
    page.prompt("txt2img").press("Control+Enter")
    expect(page.cancel("txt2img")).to_be_visible()
    page.prompt("txt2img").press("Escape")
    expect(page.cancel("txt2img")).to_be_hidden(timeout=DONE_MS)
    job = next(j for j in site.get("/api/v1/jobs") if j["prompt"] == "an owl that is cancelled")
    assert job["state"] == "cancelled"


def test_a_number_that_is_still_being_typed_counts(page: StudioPage, site: Site) -> None:
    page.prompt("txt2img").fill("an owl of two steps")
    page.number("txt2img_steps").fill("2")
    page.number("txt2img_steps").press("Control+Enter")
    expect(page.picture("txt2img", "an owl of two steps")).to_be_visible(timeout=DONE_MS)
    assert site.newest("txt2img", "an owl of two steps")["recipe"]["steps"] == 2


def test_the_main_job_by_keyboard_alone(page: StudioPage) -> None:
    keys = page.page.keyboard
    tab_until(page, "#txt2img_prompt textarea")
    keys.type("an owl by keyboard")
    tab_until(page, "#txt2img_generate")
    keys.press("Enter")
    expect(page.picture("txt2img", "an owl by keyboard")).to_be_visible(timeout=DONE_MS)
    tab_until(page, "gesso-results[mode=txt2img] .stage .picture")
    keys.press("Enter")
    expect(page.page.locator("dialog.lightbox")).to_be_visible()
    keys.press("Escape")
    expect(page.page.locator("dialog.lightbox")).to_be_hidden()


@pytest.mark.slow
def test_an_example_fills_the_prompt_and_generates(window: OpenWindow, empty_site: Site) -> None:
    page = window(at=empty_site)
    example = page.page.locator(".gesso-example").first
    prompt = example.inner_text()
    example.click()
    expect(page.picture("txt2img", prompt)).to_be_visible(timeout=DONE_MS)
    expect(page.prompt("txt2img")).to_have_value(prompt)


def test_an_error_is_said_below_the_prompt_and_at_its_control(page: StudioPage) -> None:
    page.number("txt2img_width").fill("513")
    page.generate("txt2img", "an owl of odd width")
    fault = page.page.locator("gesso-fault[mode=txt2img]")
    expect(fault).to_contain_text("Width 513 is not a multiple of 8. Try 512 or 520.")
    assert fault.get_attribute("role") == "alert"
    marked = page.page.locator("#txt2img_width [aria-invalid=true]")
    expect(marked).to_be_focused()
    page.set("txt2img_width", 64)
    page.make("txt2img", "an owl of odd width")
    expect(fault).to_be_empty()


@pytest.mark.slow
def test_an_error_is_seen_wherever_the_page_is_scrolled_to(page: StudioPage) -> None:
    page.open_group("txt2img_more")
    control = page.number("txt2img_width")
    control.fill("513")
    below = "#txt2img_size_ratios, #txt2img_seed_row"  # what follows comes to the top of the window
    page.page.locator(below).last.evaluate("(e) => scrollTo(0, e.offsetTop + 120)")
    assert page.page.evaluate("scrollY") > 0
    page.generate("txt2img", "an owl that nobody scrolls to")
    expect(control).to_be_focused()
    is_on_top = """(input) => {
        const box = input.getBoundingClientRect();
        return document.elementFromPoint(box.left + 9, box.top + 9) === input;
    }"""
    assert control.evaluate(is_on_top)
    words = page.page.locator("gesso-fault, .notice", has_text="Width 513 is not a multiple of 8")
    expect(words.locator("visible=true").last).to_be_in_viewport()
    page.set("txt2img_width", 64)
    page.page.locator("#txt2img_generate").click()
    expect(page.page.locator("gesso-notices .notice.bad")).to_have_count(0)


def test_a_missing_picture_is_said(page: StudioPage) -> None:
    for mode in ("img2img", "inpaint"):
        page.tab(mode)
        page.generate(mode, "from nothing")
        expect(page.page.locator(f"gesso-fault[mode={mode}]")).to_contain_text("There is no")


def test_swap_and_shapes_set_width_and_height(page: StudioPage) -> None:
    page.page.locator("#txt2img_ratio_16_9").click()
    expect(page.number("txt2img_width")).to_have_value("344")
    expect(page.number("txt2img_height")).to_have_value("192")
    page.page.locator("#txt2img_res_switch_btn").click()
    expect(page.number("txt2img_width")).to_have_value("192")


def test_a_closed_group_says_what_is_active_in_it(page: StudioPage, site: Site) -> None:
    page.open_group("txt2img_more")
    page.set("txt2img_clip_skip", 2)
    expect(page.page.locator("#txt2img_more")).to_contain_text("More · clip skip 2")
    page.make("txt2img", "an owl with clip skip")
    assert site.newest("txt2img", "an owl with clip skip")["recipe"]["clip_skip"] == 2


def test_seed_is_reused_and_made_random_again(page: StudioPage, site: Site) -> None:
    page.make("txt2img", "an owl with a seed")
    page.page.locator("#txt2img_reuse_seed").click()
    seed = site.newest("txt2img", "an owl with a seed")["seed"]
    expect(page.number("txt2img_seed")).to_have_value(str(seed))
    page.page.locator("#txt2img_random_seed").click()
    expect(page.number("txt2img_seed")).to_have_value("-1")


def paint(page: StudioPage, id: str = "img2maskimg") -> None:
    """A stroke across the middle of the picture on the canvas, with the mouse."""
    canvas = page.page.locator(f"#{id} .pixi-target canvas")
    expect(page.page.locator(f"#{id} button[aria-label=Brush]")).to_be_visible()
    canvas.evaluate("(e) => e.scrollIntoView({block: 'center'})")  # not under the prompt row
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse, undo = page.page.mouse, page.page.locator(f"#{id} button[aria-label=Undo]")
    end = time.monotonic() + 20
    while True:
        mouse.move(x - 40, y)
        mouse.down()
        mouse.move(x + 40, y, steps=8)
        mouse.up()
        if undo.is_enabled() or time.monotonic() > end:
            break
    expect(undo).to_be_enabled()


def tab_until(page: StudioPage, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        if page.page.locator(selector).evaluate("(e) => e === document.activeElement"):
            return
        page.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reached {selector}")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def grown(area: np.ndarray, pixels: int) -> np.ndarray:
    """The area and everything within so many pixels of it, along rows and columns."""
    result = area.copy()
    for axis in (0, 1):
        reach = result.copy()
        for shift in range(1, pixels + 1):
            reach |= np.roll(result, shift, axis) | np.roll(result, -shift, axis)
        result = reach
    return result
