"""An extension written for AUTOMATIC1111 in a browser: its JavaScript finds the page it knows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import until
from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage

EASEL = Path(__file__).parent.parent / "compat" / "extensions" / "easel"


@pytest.fixture
def easel(own_site: Site) -> Iterator[Site]:
    """A server with the extension on."""
    folder = own_site.folder / "extensions" / "easel"
    shutil.copytree(EASEL, folder)
    own_site.post({}, "/api/v1/extensions")
    own_site.post({}, "/api/v1/extensions/easel/enable")
    until(lambda: b"easel_say" in own_site.read("/config"))
    yield own_site
    own_site.post({}, "/api/v1/extensions/easel/disable")
    until(lambda: b"easel_say" not in own_site.read("/config"))
    shutil.rmtree(folder.parent)
    own_site.post({}, "/api/v1/extensions")


@pytest.mark.browser
def test_old_javascript_finds_its_page_and_is_called(
    window: Callable[..., StudioPage], easel: Site
) -> None:
    page = window(at=easel)
    body = page.page.locator("body[data-easel]")
    expect(body).to_be_attached()
    assert json.loads(body.get_attribute("data-easel") or "") == {
        "prompt": True, "tab": True, "inner": True, "hidden": True, "dropdown": True,
        "flag": True, "came": True, "at": "tab_txt2img",
    }  # fmt: skip
    accordion = page.page.locator("#script_txt2img_easel_on")
    expect(accordion.locator("#script_txt2img_easel_grain")).to_be_hidden()
    switch = accordion.get_by_role("checkbox", name="Easel")
    switch.check()
    expect(accordion.locator("#script_txt2img_easel_grain")).to_be_visible()
    expect(page.page.locator("#script_txt2img_easel_on-checkbox input")).to_be_checked()
    page.set("txt2img_width", 256)
    page.page.locator("#script_txt2img_easel_double").click()
    expect(page.number("txt2img_width")).to_have_value("512")
    expect(page.page.locator("#script_txt2img_easel_inside")).to_be_visible()
    assert page.page.evaluate("window.easelWidth") == 256


@pytest.mark.browser
@pytest.mark.slow
def test_markup_may_call_functions_of_old_scripts_and_nothing_else(
    window: Callable[..., StudioPage], easel: Site
) -> None:
    page = window(at=easel)
    expect(page.page.locator("body[data-easel]")).to_be_attached()
    page.page.evaluate("window.gessoOld.show('easel tab')")
    expect(page.page.locator("body")).to_have_attribute("data-easel-tab", "Easel tab")
    for words, heard in (("hello", "hello"), ("');window.planted=1;('", "")):
        page.page.locator("#easel_tab_words textarea").fill(words)
        page.page.locator("#easel_say").click()
        said = page.page.locator("#easel_said b", has_text=words)
        expect(said).to_be_visible()
        said.click()
        assert page.page.evaluate("[window.easelWords, window.planted]") == [heard, None]
    # The policy of the page runs no handler in markup, and says so.
    assert all("inline event handler" in fault for fault in page.faults)
    page.faults.clear()
