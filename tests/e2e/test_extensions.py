"""Extensions in a browser: switched on, seen, used, while what was typed stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from playwright.sync_api import Locator, expect

from tests.conftest import until
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser

WASH = '''
    """A colour over every picture."""

    import gradio as gr
    from PIL import Image

    from webui.extend import Slider, Tab, Toggle, hook

    INPUTS = [Toggle("enabled", "Wash"), Slider("depth", "Depth", 0.5)]
    SETTINGS = [Slider("warmth", "Warmth", 3, low=0, high=9, step=1)]

    @hook
    def image_post(item, inputs):
        return Image.blend(item.image, Image.new("RGB", item.image.size, "red"), inputs.depth)

    @hook
    def register_tabs(register):
        def build(page):
            words = gr.Textbox("", label="Words", elem_id="wash_words")
            said = gr.Textbox("", label="Said", elem_id="wash_said")
            words.submit(lambda text: f"washed {text}", [words], [said], queue=False)
            image = gr.Image(label="Picture", elem_id="wash_image")
            page.send(image, "img2img")
        register(Tab(title="Washing", build=build))
'''
BROKEN = """
    from webui.extend import Slider, hook

    INPUTS = [Slider("depth", "Depth", 0.5)]

    @hook
    def image_post(item, inputs): ...

    @hook
    def ui_accordion(page, mode):
        raise RuntimeError("the builder gave up")
"""
Write = Callable[[str, str], None]


@pytest.fixture
def write(own_site: Site) -> Iterator[Write]:
    """Puts a single file into the extensions folder of the test's own server, switched off."""
    folder = own_site.folder / "extensions"
    written: list[Path] = []

    def put(id: str, code: str) -> None:
        folder.mkdir(exist_ok=True)
        written.append(folder / f"{id}.py")
        written[-1].write_text(dedent(code), "utf-8")
        own_site.post({}, "/api/v1/extensions")

    yield put
    for path in written:
        own_site.post({}, f"/api/v1/extensions/{path.stem}/disable")
        path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    own_site.post({}, "/api/v1/extensions")


def row(page: StudioPage, id: str) -> Locator:
    return page.page.locator(f'.extension[data-id="{id}"]')


def switch(page: StudioPage, id: str) -> None:
    """Press its switch and wait until the page may be loaded again."""
    row(page, id).get_by_role("switch").click(force=True)  # what is seen of it lies below
    expect(page.notice("Extensions changed.")).to_be_visible(timeout=DONE_MS)


def reload(page: StudioPage) -> None:
    """Take the offer, and wait until the page is there again."""
    page.page.evaluate("document.body.dataset.old = 'yes'")
    page.notice("Extensions changed.").get_by_role("button", name="Reload the page").click()
    page.page.locator("body:not([data-old])[data-filled]").wait_for(timeout=DONE_MS)


def open_own_tab(page: StudioPage, id: str, title: str) -> None:
    """Press it; where it finds no room it stands behind the three dots."""
    tab = page.page.locator(f"[id^=tab_{id}][id$=-button]")
    if tab.is_visible():
        tab.click()
        return
    page.page.locator("#tabs > .tab-wrapper .overflow-menu > button").click()
    page.page.locator("#tabs > .tab-wrapper .overflow-dropdown button", has_text=title).click()


def test_an_extension_is_switched_on_and_used_while_the_prompt_stays(
    window: Callable[..., StudioPage], own_site: Site, write: Write
) -> None:
    write("wash", WASH)
    page = window(at=own_site)
    page.prompt("txt2img").fill("a wet owl")
    page.set("txt2img_steps", 3)
    page.tab("extensions")
    switch(page, "wash")
    expect(row(page, "wash")).to_contain_text("On")
    reload(page)
    expect(row(page, "wash")).to_be_visible()  # the same tab
    page.tab("txt2img")
    expect(page.prompt("txt2img")).to_have_value("a wet owl")
    expect(page.number("txt2img_steps")).to_have_value("3")
    page.open_group("txt2img_ext_wash")
    page.page.locator("#txt2img_ext_wash_enabled input").check()
    page.set("txt2img_ext_wash_depth", 1)
    expect(page.page.locator("#txt2img_ext_wash > .label-wrap")).to_contain_text(
        "wash · on · Depth 1", ignore_case=True
    )
    page.page.locator("#txt2img_generate").click()
    expect(page.picture("txt2img", "a wet owl")).to_be_visible(timeout=DONE_MS)
    made = own_site.newest("txt2img", "a wet owl")
    assert made["recipe"]["extensions"] == {"wash": {"enabled": True, "depth": 1}}


@pytest.mark.slow
def test_its_own_tab_works_and_sends_a_picture_on(
    window: Callable[..., StudioPage], own_site: Site, write: Write, noise: Path
) -> None:
    write("wash", WASH)
    own_site.post({}, "/api/v1/extensions/wash/enable")
    until(lambda: b"Washing" in own_site.read("/config"))  # the page follows in a moment
    page = window(at=own_site)
    open_own_tab(page, "ext_artist_wash", "Washing")
    page.page.locator("#wash_words textarea").fill("hands")
    page.page.locator("#wash_words textarea").press("Enter")
    expect(page.page.locator("#wash_said textarea")).to_have_value("washed hands")
    page.page.set_input_files("#wash_image input[type=file]", noise)
    expect(page.page.locator("#wash_image img")).to_be_visible()
    page.page.get_by_role("button", name="Send to img2img").click()
    expect(page.page.locator("#tab_img2img")).to_be_visible()
    expect(page.page.locator("#img2img_image img")).to_be_visible()


@pytest.mark.slow
def test_a_builder_that_fails_is_named_and_settings_are_saved(
    window: Callable[..., StudioPage], own_site: Site, write: Write
) -> None:
    write("wash", WASH)
    write("broken", BROKEN)
    page = window(at=own_site)
    page.tab("extensions")
    switch(page, "broken")
    reload(page)
    details = row(page, "broken").get_by_role("button", name="Details")
    details.click()
    expect(row(page, "broken").locator(".traceback").first).to_contain_text("the builder gave up")
    switch(page, "wash")
    row(page, "wash").get_by_role("button", name="Details").click()
    warmth = row(page, "wash").get_by_label("Warmth")
    warmth.fill("7")
    row(page, "wash").get_by_role("button", name="Save settings").click()
    expect(row(page, "wash").locator(".settings")).to_contain_text("Saved.")
    (setting,) = own_site.get("/api/v1/extensions/wash/settings")
    assert setting["value"] == 7
    page.tab("txt2img")
    expect(page.page.locator("#txt2img_ext_broken")).to_have_count(0)


@pytest.mark.slow
def test_the_culprit_is_found_by_halves(
    window: Callable[..., StudioPage], own_site: Site, write: Write
) -> None:
    page = window(at=own_site)
    page.tab("extensions")
    search = page.page.get_by_role("status", name="Search for the culprit")
    page.page.get_by_role("button", name="Find the culprit").click()
    expect(search).to_contain_text("All extensions are held back now.")
    search.get_by_role("button", name="All is well").click()
    for _ in range(10):
        expect(search).not_to_contain_text("All extensions are held back")
        found = own_site.get("/api/v1/extensions/search")
        if found["is_over"]:
            break
        is_bad = "film-look" in found["on"]
        name = "The trouble is there" if is_bad else "All is well"
        words = search.locator("p").inner_text()
        search.get_by_role("button", name=name).click()
        expect(search.locator("p")).not_to_have_text(words)
    expect(search).to_contain_text("It is “Film look”.")
    search.get_by_role("button", name="Switch the others on again").click()
    expect(search).to_be_hidden()
