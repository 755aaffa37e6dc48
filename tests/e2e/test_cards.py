"""The browser of networks: what a click on a card does, notes, and lists of thousands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.catalog.test_cards import network, noted
from tests.catalog.test_catalog import SD15_KEYS, write
from tests.conftest import png
from tests.e2e.conftest import STEP_S, OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage
from tests.model_files import safetensors

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
MANY = 2000
NETWORK = {"kind": "lora", "id": "Lora/ink (v2).safetensors", "prompt_name": "ink (v2)"}
CARDS = [
    {**NETWORK, "preferred_weight": 0, "activation_text": "", "negative_text": ""},
    {**NETWORK, "preferred_weight": -0.5, "activation_text": "ink, wet", "negative_text": "dry"},
    {**NETWORK, "preferred_weight": 1, "activation_text": "ow", "negative_text": "ow"},
    {"kind": "embedding", "id": "embeddings/bad.hand+.pt", "prompt_name": "bad.hand+"},
]
TEXTS = ["", "an owl", "an owl, (at night:1.2)", "two\nlines", "<lora:ink:1>", "bad.hand+s, ink"]
"""No trailing comma among them: that goes with the words after it."""
TEXT_ENCODER = {
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": [2, 768],
}


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a few networks and embeddings, and a folder of many."""
    folder = tmp_path_factory.mktemp("stocked")
    networks = folder / "models" / "Lora"
    ink = network(networks / "styles" / "Ink wash.safetensors")
    noted(ink, **{"activation text": "inkstyle", "preferred weight": 0.7, "negative text": "photo"})
    (networks / "styles" / "Ink wash.preview.png").write_bytes(png(96, 96, "navy"))
    network(networks / "styles" / "old" / "Ash.safetensors")
    network(networks / "people" / "Owl.safetensors", "sdxl")
    write(folder / "models" / "other.safetensors", SD15_KEYS | TEXT_ENCODER)
    embedding(folder / "models" / "embeddings" / "bad-hands.safetensors")
    for number in range(MANY):
        network(networks / "many" / f"n{number:04}.safetensors")
    made = Site(folder, STEP_S)
    made.start()
    yield made
    made.stop()


def embedding(path: Path) -> None:
    """A textual inversion of two vectors, all zeros."""
    safetensors(path, {"emb_params": [2, 768]}, dtype="F32")


def opened(page: StudioPage) -> Locator:
    """The browser of txt2img, opened."""
    page.page.locator("#txt2img_extra_networks").click()
    browser = page.page.locator("gesso-cards[mode=txt2img]")
    expect(browser.locator(".card .use").first).to_be_visible()
    return browser


def card(browser: Locator, name: str) -> Locator:
    return browser.locator(".card .use", has_text=name)


def search(browser: Locator, words: str) -> None:
    browser.get_by_label("Search names and notes").fill(words)


def kind(browser: Locator, name: str) -> None:
    browser.get_by_role("button", name=name, exact=True).click()


def serious(page: StudioPage) -> list[Any]:
    result: dict[str, Any] = Axe().run(page.page).response
    return [
        (v["id"], node["target"], node["html"][:160])
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


def test_a_click_puts_a_network_into_the_prompt_and_another_takes_it_out(
    window: OpenWindow, stocked: Site
) -> None:
    page = window(at=stocked)
    page.prompt("txt2img").fill("an owl")
    browser = opened(page)
    search(browser, "inkstyle")
    expect(browser.locator(".card")).to_have_count(1)
    expect(browser.locator(".card img")).to_be_visible()
    ink, negative = card(browser, "Ink wash"), page.page.locator("#txt2img_neg_prompt textarea")
    ink.click()
    prompt = "an owl, inkstyle <lora:Ink wash:0.7>"
    expect(page.prompt("txt2img")).to_have_value(prompt)
    expect(negative).to_have_value("photo")
    expect(ink).to_have_attribute("aria-pressed", "true")
    page.page.locator("#txt2img_generate").click()
    expect(page.picture("txt2img", prompt)).to_be_visible(timeout=30_000)
    files = stocked.newest("txt2img", prompt)["recipe"]["files"]
    assert [file["id"] for file in files] == ["Lora/styles/Ink wash.safetensors"]

    page.prompt("txt2img").fill("a cat <lora:Ink wash:0.25:0.5>, at night")
    expect(ink).to_have_attribute("aria-pressed", "true")
    ink.click()
    expect(page.prompt("txt2img")).to_have_value("a cat, at night")
    expect(negative).to_have_value("")
    expect(ink).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_embeddings_go_where_the_person_writes_and_checkpoints_are_chosen(
    window: OpenWindow, stocked: Site
) -> None:
    page = window(at=stocked)
    negative = page.page.locator("#txt2img_neg_prompt textarea")
    negative.fill("blurry,")
    browser = opened(page)
    kind(browser, "Embeddings")
    card(browser, "bad-hands").click()
    expect(negative).to_have_value("blurry, bad-hands")
    expect(page.prompt("txt2img")).to_have_value("")
    card(browser, "bad-hands").click()
    expect(negative).to_have_value("blurry")
    page.prompt("txt2img").focus()
    card(browser, "bad-hands").click()
    expect(page.prompt("txt2img")).to_have_value("bad-hands")

    kind(browser, "Checkpoints")
    box = page.page.locator("#setting_sd_model_checkpoint input")
    for name in ("starter", "other"):
        card(browser, name).click()
        expect(box).to_have_value(re.compile(name))
        expect(card(browser, name)).to_have_attribute("aria-pressed", "true")
    browser.locator(".card", has_text="other").hover()
    browser.get_by_role("button", name="Notes on other").click()
    browser.get_by_label("VAE to use with it").fill("bright")
    browser.get_by_role("button", name="Save").click()
    expect(browser.get_by_role("dialog")).to_be_hidden()
    beside = stocked.folder / "models" / "other.json"
    assert json.loads(beside.read_text("utf-8")) == {"vae": "bright"}


@pytest.mark.slow
def test_taking_a_card_out_leaves_the_prompts_as_they_were(
    window: OpenWindow, stocked: Site
) -> None:
    page = window(at=stocked)
    changed = page.page.evaluate(
        """async ([cards, texts]) => {
            const {isUsed, withCard, withoutCard} = await import("/assets/cards_prompt.js");
            const changed = [];
            for (const card of cards) for (const text of texts) {
                const before = {prompt: text, negative: text};
                const used = withCard(card, before, true);
                const after = withoutCard(card, used);
                if (!isUsed(card, used) || isUsed(card, after)
                    || after.prompt !== text || after.negative !== text) {
                    changed.push([text, used, after]);
                }
            }
            return changed;
        }""",
        [CARDS, TEXTS],
    )
    assert changed == []


@pytest.mark.slow
def test_folders_and_families_are_shown(window: OpenWindow, stocked: Site) -> None:
    page = window(at=stocked)
    browser = opened(page)
    folders = browser.get_by_label("Folders")
    folders.get_by_role("button", name="styles 2").click()
    expect(browser.locator(".card")).to_have_count(2)
    folders.get_by_role("button", name="old 1").click()
    expect(browser.locator(".card")).to_have_count(1)
    folders.get_by_role("button", name="All").click()
    search(browser, "owl")
    expect(card(browser, "Owl")).to_contain_text("made for SDXL")
    browser.get_by_label("Only fitting").check()
    expect(browser).to_contain_text("Nothing found.")


@pytest.mark.slow
def test_notes_and_picture_of_a_card_are_kept(window: OpenWindow, stocked: Site) -> None:
    page = window(at=stocked)
    page.allowed = ("422",)
    page.make("txt2img", "an owl for a card")
    browser = opened(page)
    search(browser, "old")
    expect(browser.locator(".card")).to_have_count(1)
    expect(browser.locator(".card img")).to_be_hidden()
    browser.locator(".card").hover()
    browser.get_by_role("button", name="Notes on Ash").click()
    dialog = browser.get_by_role("dialog")
    dialog.get_by_label("Activation text").fill("<b>ashen</b>")
    weight = dialog.get_by_label("Preferred weight")
    weight.fill("1000")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("1000")
    expect(weight).to_be_focused()
    weight.fill("0.6")
    dialog.get_by_role("button", name="Use the picture on show").click()
    expect(dialog.locator("img")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(browser.locator(".card img")).to_be_visible()
    card(browser, "Ash").click()
    expect(page.prompt("txt2img")).to_have_value("an owl for a card, <b>ashen</b> <lora:Ash:0.6>")
    beside = stocked.folder / "models" / "Lora" / "styles" / "old"
    assert json.loads((beside / "Ash.json").read_text("utf-8")) == {
        "activation text": "<b>ashen</b>",
        "preferred weight": 0.6,
    }
    assert (beside / "Ash.preview.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_thousands_of_cards_scroll_and_are_reached_by_keys(
    window: OpenWindow, stocked: Site
) -> None:
    page = window(at=stocked)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.tab("img2img")
    page.tab("txt2img")
    assert [url for url in asked if "/cards" in url] == []
    browser = opened(page)
    view = browser.locator(".cards-view")
    for part in (0.3, 0.9, 0.5, 1):
        view.evaluate("(e, part) => { e.scrollTop = e.scrollHeight * part; }", part)
    expect(card(browser, "Owl")).to_be_visible()
    expect(browser.locator(".card.is-coming")).to_have_count(0)
    assert browser.locator(".card").count() < 150
    last = browser.locator(".card").last
    expect(last).to_have_attribute("aria-posinset", str(MANY + 3))
    expect(last).to_have_attribute("aria-setsize", str(MANY + 3))

    search(browser, "n00")
    expect(browser.locator(".card").first).to_contain_text("n0000")
    browser.locator(".card .use").first.focus()
    page.page.keyboard.press("ArrowRight")
    expect(card(browser, "n0001")).to_be_focused()
    page.page.keyboard.press("End")
    expect(card(browser, "n0099")).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(page.prompt("txt2img")).to_have_value("<lora:n0099:1>")
    page.page.keyboard.press("Escape")
    expect(browser).to_be_hidden()
    expect(page.page.locator("#txt2img_extra_networks")).to_be_focused()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_browser(
    window: OpenWindow, stocked: Site, theme: str
) -> None:
    page = window(f"?__theme={theme}", at=stocked)
    browser = opened(page)
    search(browser, "w")
    card(browser, "Owl").scroll_into_view_if_needed()
    assert serious(page) == []
    card(browser, "Owl").focus()
    browser.get_by_role("button", name="Notes on Owl").click()
    assert serious(page) == []


def test_the_browser_fits_a_phone(window: OpenWindow, stocked: Site) -> None:
    page = window(size=PHONE, touch=True, at=stocked)
    browser = opened(page)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = browser.evaluate(
        """(e) => [...e.querySelectorAll("button, select, input:not([type=checkbox])")]
            .filter((part) => part.getClientRects().length)
            .filter((part) => part.getBoundingClientRect().height < 44)
            .map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert small == []
