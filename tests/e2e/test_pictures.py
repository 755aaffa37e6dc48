"""What can be done with a finished picture: send, restore, repeat, enlarge, delete, find again."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import png
from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser


@pytest.fixture
def made(page: StudioPage, site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The file of a picture that the page has just made, with a prompt named after the test."""
    page.set("txt2img_steps", 2)
    page.set("txt2img_width", 192)
    page.page.locator("#txt2img_neg_prompt textarea").fill("blurry")
    page.make("txt2img", request.node.name)
    file = tmp_path / "made.png"
    file.write_bytes(site.read(site.newest("txt2img", request.node.name)["url"]))
    return file


def expect_restored(page: StudioPage, prompt: str, seed: int) -> None:
    expect(page.prompt("txt2img")).to_have_value(prompt)
    expect(page.page.locator("#txt2img_neg_prompt textarea")).to_have_value("blurry")
    expect(page.number("txt2img_steps")).to_have_value("2")
    expect(page.number("txt2img_width")).to_have_value("192")
    expect(page.number("txt2img_seed")).to_have_value(str(seed))


@pytest.mark.parametrize("how", ["drop", pytest.param("paste", marks=pytest.mark.slow)])
def test_a_picture_on_the_prompt_restores_everything(
    page: StudioPage, site: Site, made: Path, how: str, request: pytest.FixtureRequest
) -> None:
    prompt = request.node.name
    page.open()
    expect(page.prompt("txt2img")).to_have_value("")
    hand_over = page.drop if how == "drop" else page.paste
    hand_over(page.prompt("txt2img"), made)
    expect_restored(page, prompt, site.newest("txt2img", prompt)["seed"])


def test_a_restored_picture_is_made_again_pixel_for_pixel(
    page: StudioPage, site: Site, made: Path, request: pytest.FixtureRequest
) -> None:
    page.open()
    page.drop(page.prompt("txt2img"), made)
    prompt = request.node.name
    expect(page.prompt("txt2img")).to_have_value(prompt)
    first = site.newest("txt2img", prompt)
    page.page.locator("#txt2img_generate").click()
    expect(page.results("txt2img").locator(f".tile[aria-label*='{prompt}']")).to_have_count(2)
    second = site.newest("txt2img", prompt)
    assert second["id"] != first["id"]
    assert second["recipe"] == first["recipe"]


def test_a_picture_without_a_recipe_says_so(page: StudioPage, tmp_path: Path) -> None:
    page.allowed = ("status of 4",)
    (tmp_path / "plain.png").write_bytes(png())
    page.drop(page.prompt("txt2img"), tmp_path / "plain.png")
    expect(page.page.locator("gesso-notices .notice.bad")).to_be_visible()


@pytest.mark.parametrize("mode", ["img2img", pytest.param("inpaint", marks=pytest.mark.slow)])
def test_a_picture_is_sent_to_a_tab_and_used_there(
    page: StudioPage, site: Site, made: Path, mode: str, request: pytest.FixtureRequest
) -> None:
    prompt = request.node.name
    page.page.locator(f"#txt2img_send_to_{mode}").click()
    expect(page.page.locator(f"#tab_{mode}")).to_be_visible()
    expect(page.prompt(mode)).to_have_value(prompt)
    expect(page.number(f"{mode}_width")).to_have_value("192")
    if mode == "img2img":
        expect(page.page.locator("#img2img_image img")).to_be_visible()
        page.page.locator("#img2img_generate").click()
        expect(page.picture("img2img", prompt)).to_be_visible(timeout=DONE_MS)
        source = site.newest("img2img", prompt)["recipe"]["source"]["image"]
        assert site.read(f"/api/v1/inputs/{source}") == made.read_bytes()


@pytest.mark.slow
def test_compare_shows_the_source_below_the_picture(page: StudioPage, noise: Path) -> None:
    page.tab("img2img")
    page.page.set_input_files("#img2img_image input[type=file]", noise)
    expect(page.number("img2img_height")).to_have_value("192")
    page.make("img2img", "an owl to compare")
    page.page.locator("#img2img_compare").click()
    slider = page.results("img2img").get_by_role("slider", name="Before and after")
    expect(slider).to_be_focused()
    loaded = "(e) => [...e.querySelectorAll('img')].every((i) => i.complete && i.naturalWidth > 0)"
    compare = page.results("img2img").locator(".compare")
    page.page.wait_for_function(loaded, arg=compare.element_handle())
    page.page.locator("#img2img_compare").click()
    expect(slider).to_be_hidden()


@pytest.mark.usefixtures("made")
def test_make_again_and_vary_add_pictures(
    page: StudioPage, site: Site, request: pytest.FixtureRequest
) -> None:
    prompt = request.node.name
    first = site.newest("txt2img", prompt)
    page.page.locator("#txt2img_make_again").click()
    expect(page.results("txt2img").locator(f".tile[aria-label*='{prompt}']")).to_have_count(2)
    again = site.newest("txt2img", prompt)
    page.page.locator("#txt2img_vary").click()
    expect(page.results("txt2img").locator(f".tile[aria-label*='{prompt}']")).to_have_count(3)
    varied = site.newest("txt2img", prompt)
    assert again["recipe"] == first["recipe"]
    assert varied["seed"] == first["seed"]
    assert varied["recipe"]["noise"]["variation_strength"] == 0.15
    assert varied["recipe"]["steps"] == first["recipe"]["steps"]


@pytest.mark.usefixtures("made")
def test_deleting_can_be_undone(
    page: StudioPage, site: Site, request: pytest.FixtureRequest
) -> None:
    prompt = request.node.name
    id = site.newest("txt2img", prompt)["id"]
    page.page.locator("#txt2img_delete").click()
    expect(page.picture("txt2img", prompt)).to_be_hidden()
    assert site.get(f"/api/v1/pictures/{id}")["is_trashed"] is True
    page.page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.picture("txt2img", prompt)).to_be_visible()
    assert site.get(f"/api/v1/pictures/{id}")["is_trashed"] is False


def test_save_as_hands_out_the_file(page: StudioPage, made: Path) -> None:
    with page.page.expect_download() as download:
        page.page.locator("#txt2img_save_as").click()
    assert Path(download.value.path()).read_bytes() == made.read_bytes()


@pytest.mark.slow
def test_arrows_step_through_pictures_and_the_large_view(page: StudioPage) -> None:
    page.set("txt2img_steps", 1)
    page.set("txt2img_batch_count", 3)
    page.make("txt2img", "three owls to step through")
    tiles = page.results("txt2img").locator(".tile")
    tiles.first.focus()
    page.page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_have_attribute("aria-current", "true")
    expect(tiles.nth(1)).to_be_focused()
    page.results("txt2img").locator(".stage .picture").click()
    place = page.page.locator("dialog.lightbox .place")
    expect(place).to_have_text(re.compile("^2 of"))
    page.page.keyboard.press("ArrowRight")
    expect(place).to_have_text(re.compile("^3 of"))
    with page.page.expect_download():
        page.page.keyboard.press("s")
    page.page.keyboard.press("Escape")
    expect(page.page.locator("dialog.lightbox")).to_be_hidden()
    expect(tiles.nth(2)).to_have_attribute("aria-current", "true")


NOTICE_IN_REACH = """() => new Promise((resolve) => {
    document.querySelector("dialog.lightbox [aria-label='Copy the recipe']").click();
    const look = () => {
        const notice = document.querySelector("gesso-notices .passing .notice");
        if (!notice) return requestAnimationFrame(look);
        const { x, y, width, height } = notice.getBoundingClientRect();
        resolve(notice.contains(document.elementFromPoint(x + width / 2, y + height / 2)));
    };
    look();
})"""
"""Whether a notice that is caused in the large view lies on top, where it can be pressed."""


def test_a_notice_stands_above_an_open_dialog(page: StudioPage) -> None:
    page.set("txt2img_steps", 1)
    page.make("txt2img", "an owl to tell about")
    page.results("txt2img").locator(".stage .picture").click()
    expect(page.page.locator("dialog.lightbox .recipe .words")).to_contain_text("1 steps")
    assert page.page.evaluate(NOTICE_IN_REACH)
    page.page.keyboard.press("Escape")
    expect(page.page.locator("dialog.lightbox gesso-notices")).to_have_count(0)


def test_history_finds_pages_and_restores(window: OpenWindow, empty_site: Site) -> None:
    page = window(at=empty_site)
    page.set("txt2img_steps", 1)
    page.set("txt2img_width", 64)
    page.set("txt2img_height", 64)
    page.set("txt2img_batch_size", 7)
    page.set("txt2img_batch_count", 10)
    page.make("txt2img", "seventy owls")
    page.set("txt2img_batch_size", 1)
    page.set("txt2img_batch_count", 1)
    page.make("txt2img", "a single fox")
    page.tab("history")
    tiles = page.page.locator("gesso-history .tile")
    expect(tiles.first).to_have_attribute("title", "a single fox")
    tiles.last.scroll_into_view_if_needed()
    expect(tiles).to_have_count(71)
    page.page.locator("#history_search").fill("fox")
    expect(tiles).to_have_count(1)
    tiles.first.click()
    details = page.page.locator("gesso-history .details")
    expect(details.locator(".infotext")).to_contain_text("Steps: 1, Sampler: DPM++ 2M")
    page.page.locator("#history_use_settings").click()
    expect(page.page.locator("#tab_txt2img")).to_be_visible()
    expect(page.prompt("txt2img")).to_have_value("a single fox")


@pytest.mark.slow
def test_an_open_history_shows_what_is_made_elsewhere(page: StudioPage, window: OpenWindow) -> None:
    page.make("txt2img", "an owl before")
    page.tab("history")
    newest = page.page.locator("gesso-history .tile").first
    expect(newest).to_have_attribute("title", "an owl before")
    window().make("txt2img", "an owl made elsewhere")
    expect(newest).to_have_attribute("title", "an owl made elsewhere")


def test_a_pasted_picture_becomes_the_source(page: StudioPage, noise: Path) -> None:
    page.tab("img2img")
    page.paste(page.page.locator("body"), noise)
    expect(page.number("img2img_height")).to_have_value("192")
    expect(page.page.locator("#img2img_image img")).to_be_visible()


@pytest.mark.usefixtures("made")
def test_a_deleted_picture_comes_back_from_the_trash_or_goes_for_good(
    page: StudioPage, request: pytest.FixtureRequest
) -> None:
    page.tab("history")
    history, filter = page.page.locator("gesso-history"), page.page.locator("#history_filter")
    tile = history.locator(f".tile[title='{request.node.name}']")
    tile.click()
    page.page.locator("#history_delete").click()
    expect(tile).to_have_count(0)
    filter.select_option("trash")
    tile.click()
    expect(history.locator("#history_delete")).to_be_hidden()
    page.page.locator("#history_restore").click()
    expect(tile).to_have_count(0)
    filter.select_option(label="All")
    tile.click()
    page.page.locator("#history_delete").click()
    filter.select_option("trash")
    tile.click()
    if folder := os.environ.get("LOOK"):
        page.page.screenshot(path=f"{folder}/trash.png")
    page.page.locator("#history_delete_for_good").click()
    page.page.get_by_role("button", name="Really delete?").click()
    expect(tile).to_have_count(0)
    expect(history.locator(".details")).to_be_hidden()
    page.page.locator("#history_empty_trash").click()
    page.page.get_by_role("button", name="Really delete all?").click()
    expect(page.notice("deleted for good").first).to_be_visible()
    expect(history.locator(".end")).to_have_text("Nothing was deleted.")
