"""What is typed into a part of the page that is still being filled is kept."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage
from tests.e2e.test_living import add_checkpoint

pytestmark = pytest.mark.browser

TYPE_IN_THE_FIRST_FRAME = """([opener, fields, value]) => new Promise((resolve) => {
    const write = () => {
        const found = [...document.querySelectorAll(fields)];
        if (found.length === 0) return requestAnimationFrame(write);
        for (const field of found) {
            const owner = Object.getPrototypeOf(field);
            Object.getOwnPropertyDescriptor(owner, "value").set.call(field, value);
            field.dispatchEvent(new Event("input", {bubbles: true}));
        }
        resolve();
    };
    requestAnimationFrame(write);  // comes before any frame that the click asks for
    document.querySelector(opener).click();
})"""


def test_numbers_typed_while_a_group_opens_are_kept(page: StudioPage) -> None:
    """Gradio sets a group's first values in the frame after it is opened."""
    fields = "#txt2img_more input[type=number]"
    page.page.evaluate(TYPE_IN_THE_FIRST_FRAME, ["#txt2img_more > .label-wrap", fields, "3"])
    page.drawn(6)
    expect(page.number("txt2img_clip_skip")).to_have_value("3")
    expect(page.page.locator("#txt2img_more > .label-wrap")).to_contain_text("clip skip 3")


def test_a_number_typed_while_a_tab_opens_are_kept(page: StudioPage) -> None:
    fields = "#extras_upscaling_resize input[type=number]"
    page.page.evaluate(TYPE_IN_THE_FIRST_FRAME, ["#tab_extras-button", fields, "3"])
    page.drawn(6)
    expect(page.number("extras_upscaling_resize")).to_have_value("3")


def test_a_number_that_is_emptied_comes_back(page: StudioPage, site: Site) -> None:
    steps = page.number("txt2img_steps")
    page.set("txt2img_steps", 2)
    steps.fill("")
    steps.press("Tab")
    expect(steps).to_have_value("2")
    steps.fill("7")
    steps.fill("")
    page.make("txt2img", "an owl of as many steps as before")
    made = site.newest("txt2img", "an owl of as many steps as before")
    assert made["recipe"]["steps"] == 2


@pytest.mark.slow
def test_a_number_typed_while_the_page_opens_is_kept(window: OpenWindow, own_site: Site) -> None:
    """The page brings sizes of another model along, which came after the server's start."""
    add_checkpoint(own_site.folder / "models" / "dreamy.safetensors")
    page = window(at=own_site)
    held: list[Route] = []
    page.page.route("**/gradio_api/run/**", lambda route: held.append(route))
    with page.page.expect_request("**/gradio_api/run/**"):
        page.page.goto(own_site.url)
    expect(page.status).to_contain_text("on Test patterns")
    page.set("txt2img_width", 320)
    for route in held:
        route.continue_()
    page.page.unroute("**/gradio_api/run/**")
    expect(page.number("txt2img_height")).to_have_value("512")
    expect(page.number("txt2img_width")).to_have_value("320")
