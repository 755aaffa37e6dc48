"""What everyone needs of the page: it fits the screen, is reachable, and runs nobody's scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage

pytestmark = pytest.mark.browser

TABS = ("txt2img", "img2img", "inpaint", "extras", "history", "extensions", "settings")
PHONE = {"width": 390, "height": 844}
SMALL_DESK = {"width": 1366, "height": 768}
TARGET_PX = 44
CANARY = '<img src=x onerror="window.canary=1">\'"><script>window.canary=1</script>'


def test_nothing_scrolls_sideways_on_a_phone(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    for tab in TABS:
        page.tab(tab)
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab


def test_buttons_on_a_phone_are_large_enough_for_a_finger(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    page.make("txt2img", "an owl for fingers")
    small = page.page.evaluate(
        """(least) => [...document.querySelectorAll("button, select, input, textarea, a")]
            .filter((e) => e.getClientRects().length && !e.closest("[aria-hidden=true], .hidden"))
            .map((e) => [e, e.role === "combobox" ? e.closest(".wrap") : e])
            .map(([e, seen]) => [e, seen.getBoundingClientRect()])
            .filter(([e, box]) => box.width > 1 && box.height < least)
            .map(([e, box]) => `${e.id || e.className || e.tagName} ${Math.round(box.height)}`)""",
        TARGET_PX,
    )
    assert small == []


def test_generate_stays_in_reach_on_a_phone(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    page.page.locator("#txt2img_batch_size").scroll_into_view_if_needed()
    expect(page.page.locator("#txt2img_generate")).to_be_in_viewport()


def test_a_phone_shows_the_picture_that_was_asked_for(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    page.set("txt2img_steps", 2)
    page.page.locator("#txt2img_batch_size").scroll_into_view_if_needed()
    stage = page.results("txt2img").locator(".stage")
    expect(stage).not_to_be_in_viewport()
    page.page.locator("#txt2img_generate").click()
    expect(stage).to_be_in_viewport(ratio=0.5, timeout=DONE_MS)


@pytest.mark.parametrize(
    ("tab", "source"),
    [("inpaint", "img2maskimg"), pytest.param("img2img", "img2img_image", marks=pytest.mark.slow)],
)
def test_the_source_comes_before_the_result_on_a_phone(
    window: OpenWindow, tab: str, source: str
) -> None:
    page = window(size=PHONE, touch=True)
    page.tab(tab)
    boxes = [
        page.page.locator(f"#{id}").bounding_box()
        for id in (source, f"{tab}_gallery", f"{tab}_steps")
    ]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == 3
    assert tops == sorted(tops)


@pytest.mark.slow
def test_escape_closes_the_menu_of_tabs(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    menu = page.page.locator("#tabs > .tab-wrapper .overflow-dropdown")
    page.page.get_by_role("button", name="More tabs").click()
    expect(menu).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_main_controls_and_picture_are_seen_without_scrolling(window: OpenWindow) -> None:
    page = window(size=SMALL_DESK)
    notice = page.page.locator("#starter_notice p")
    assert notice.evaluate("words => words.scrollHeight <= words.clientHeight"), "it is cut"
    page.make("txt2img", "an owl above the fold")
    for name in ("prompt", "generate", "sampling", "steps", "width", "cfg_scale", "batch_size"):
        expect(page.page.locator(f"#txt2img_{name}")).to_be_in_viewport(ratio=1)
    expect(page.picture("txt2img", "an owl above the fold")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_axe_finds_nothing_serious(window: OpenWindow, theme: str) -> None:
    """One window for all tabs: each costs seconds. History comes last, its picture covers them.

    Of the usual set this is the dark theme; the light one is looked at with open groups.
    """
    page = window(f"?__theme={theme}")
    page.make("txt2img", "an owl for axe")
    found = {tab: serious(page, tab) for tab in sorted(TABS, key=lambda tab: tab == "history")}
    assert found == {tab: [] for tab in TABS}


def serious(page: StudioPage, tab: str) -> list[tuple[str, object, str]]:
    """What axe finds on a tab: rule, place, markup."""
    page.tab(tab)
    if tab == "history":
        page.page.locator("gesso-history .tile").first.click()
    result: dict[str, Any] = Axe().run(page.page).response
    return [
        (v["id"], node["target"], node["html"][:160])
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "is_dark"), [("dark", True), ("light", False)])
def test_the_theme_of_the_settings_rules(
    window: OpenWindow, tmp_path: Path, theme: str, is_dark: bool
) -> None:
    site = Site(tmp_path, 0.0, settings={"theme": theme})
    site.start()
    try:
        page = window(at=site)
        page.page.emulate_media(color_scheme="light" if is_dark else "dark")
        colour = "rgb(18, 18, 20)" if is_dark else "rgb(245, 245, 246)"
        expect(page.page.locator("body")).to_have_css("background-color", colour)
    finally:
        site.stop()


@pytest.mark.slow
def test_markup_in_a_prompt_stays_text(window: OpenWindow) -> None:
    page = window()
    page.page.locator("#txt2img_neg_prompt textarea").fill(CANARY)
    page.set("txt2img_steps", 60)
    page.generate("txt2img", CANARY)
    expect(page.results("txt2img").locator(".queue-strip li")).to_contain_text("<img")
    expect(page.picture("txt2img", CANARY)).to_be_visible(timeout=30_000)
    expect(page.results("txt2img").locator(".recipe .words")).to_contain_text(CANARY)
    page.results("txt2img").locator(".stage .picture").click()
    expect(page.page.locator("dialog.lightbox .recipe")).to_contain_text(CANARY)
    page.page.keyboard.press("Escape")
    page.tab("history")
    page.page.locator("gesso-history .tile").first.click()
    expect(page.page.locator("gesso-history .infotext")).to_contain_text(CANARY)
    assert page.page.evaluate("window.canary") is None


def test_a_refused_value_with_markup_stays_text(page: StudioPage) -> None:
    page.tab("settings")
    page.page.locator("#setting_filename_pattern textarea, #setting_filename_pattern input").fill(
        "[nonsense]" + CANARY
    )
    page.page.locator("#settings_submit").click()
    page.page.wait_for_function(
        "document.querySelector('gesso-fault[mode=settings]').textContent"
        " || document.querySelector('gesso-notices .passing').textContent"
    )
    assert page.page.evaluate("window.canary") is None


@pytest.mark.slow
def test_reduced_motion_is_respected(window: OpenWindow) -> None:
    page = window()
    page.page.emulate_media(reduced_motion="reduce")
    duration = page.page.locator("#txt2img_generate").evaluate(
        "(e) => getComputedStyle(e).transitionDuration"
    )
    assert duration in ("0s", "")


def test_headings_and_landmarks_name_the_page(page: StudioPage) -> None:
    expect(page.page.get_by_role("heading", name="Gesso")).to_be_visible()
    expect(page.page.get_by_role("tab", name="txt2img")).to_have_attribute("aria-selected", "true")
    assert page.page.title() == "Gesso"
