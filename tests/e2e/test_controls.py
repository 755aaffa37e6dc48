"""What stands in the closed groups and around the prompts: restored, titled, used, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage
from tests.e2e.test_making import paint

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
GROUPS = {
    "txt2img": ("styles_group", "hr", "refiner", "seed_extras", "guidance", "more"),
    "img2img": ("source_extras", "sampler_parameters"),
    "inpaint": ("outpaint", "soft", "source_extras"),
}
EVERYTHING: dict[str, Any] = {
    "negative_prompt": "blurry",
    "width": 128,
    "height": 192,
    "seed": 7,
    "sampling": {
        "sampler": "euler_a",
        "schedule": "karras",
        "steps": 4,
        "guidance_scale": 2.5,
        "clip_skip": 2,
        "parameters": {"eta": 0.5, "churn": 1.5, "rho": 5, "sgm_noise": True},
    },
    "emphasis": "no_norm",
    "noise": {"variation_seed": 3, "variation_strength": 0.25, "seed_delta": 31337},
    "guidance": {"rescale": 0.5, "perturbed_attention": 3, "freeu": {"b1": 1.1}},
    "tiling": "both",
    "hires": {"upscaler": "latent_nearest", "scale": 1.5, "steps": 3, "prompt": "a large owl"},
    "refiner": {"checkpoint": "starter", "switch_at": 0.6},
}
INFOTEXT = (
    "a fox from a text\nNegative prompt: blurry\nSteps: 7, Sampler: Euler a, "
    "Schedule type: Karras, CFG scale: 5, Seed: 77, Size: 320x256"
)


def title(page: StudioPage, id: str) -> Locator:
    return page.page.locator(f"#{id} > .label-wrap > span").first


def select(page: StudioPage, start: int, end: int) -> None:
    page.prompt("txt2img").evaluate("(e, at) => e.setSelectionRange(...at)", [start, end])


def test_a_recipe_with_every_part_is_restored_and_made_again(page: StudioPage, site: Site) -> None:
    prompt = "an owl with every part"
    site.post({"prompt": prompt, **EVERYTHING})
    expect(page.picture("txt2img", prompt)).to_be_visible(timeout=DONE_MS)
    first = site.newest("txt2img", prompt)
    page.page.locator("#txt2img_use_settings").click()
    expect(title(page, "txt2img_hr")).to_have_text("Hires fix · 1.5× · Latent (nearest)")
    expect(title(page, "txt2img_refiner")).to_have_text("Refiner · starter · at 0.6")
    page.page.locator("#txt2img_generate").click()
    expect(page.results("txt2img").locator(f".tile[aria-label*='{prompt}']")).to_have_count(2)
    second = site.newest("txt2img", prompt)
    assert second["id"] != first["id"]
    assert second["recipe"] == first["recipe"]


def test_hires_fix_is_switched_on_and_its_title_follows(page: StudioPage, site: Site) -> None:
    page.open_group("txt2img_hr")
    expect(page.number("txt2img_hr_scale")).to_be_hidden()
    page.page.locator("#txt2img_hr-checkbox input").check()
    page.set("txt2img_hr_scale", 1.5)
    expect(title(page, "txt2img_hr")).to_have_text("Hires fix · 1.5× · Latent")
    page.set("txt2img_steps", 2)
    page.make("txt2img", "an owl in high resolution")
    hires = site.newest("txt2img", "an owl in high resolution")["recipe"]["hires"]
    assert (hires["scale"], hires["upscaler"]) == (1.5, "latent")
    expect(page.results("txt2img").locator(".recipe .words")).to_contain_text("· hires 1.5× ·")


def test_a_fault_in_a_closed_group_opens_it(page: StudioPage) -> None:
    page.open_group("txt2img_sampler_parameters")
    page.page.locator("#txt2img_sampler_eta :is(input, textarea)").fill("much")
    expect(title(page, "txt2img_sampler_parameters")).to_contain_text("Eta much")
    page.page.locator("#txt2img_sampler_parameters > .label-wrap").click()
    page.generate("txt2img", "an owl with much eta")
    expect(page.page.locator("gesso-fault[mode=txt2img]")).to_contain_text("“much” is not a number")
    expect(page.page.locator("#txt2img_sampler_eta [aria-invalid=true]")).to_be_focused()


def test_a_text_of_settings_pasted_on_the_prompt_is_restored(page: StudioPage) -> None:
    page.prompt("txt2img").evaluate(
        """(box, text) => {
            const transfer = new DataTransfer();
            transfer.setData("text/plain", text);
            const init = {bubbles: true, cancelable: true, clipboardData: transfer};
            box.dispatchEvent(new ClipboardEvent("paste", init));
        }""",
        INFOTEXT,
    )
    expect(page.prompt("txt2img")).to_have_value("a fox from a text")
    expect(page.number("txt2img_steps")).to_have_value("7")
    expect(page.number("txt2img_seed")).to_have_value("77")
    expect(page.number("txt2img_width")).to_have_value("320")


def test_tokens_are_counted_and_doubts_are_said(page: StudioPage) -> None:
    counter = page.page.locator("#txt2img_token_counter")
    page.prompt("txt2img").fill("a red apple")
    expect(counter.locator(".number")).to_have_text("3/75")
    page.prompt("txt2img").fill("a (red apple")
    expect(counter.locator(".hint")).to_contain_text("never closed")


def test_a_fault_in_a_prompt_is_marked_at_its_character(page: StudioPage) -> None:
    page.generate("txt2img", "an owl, (heavy:999999)")
    expect(page.page.locator("gesso-fault[mode=txt2img]")).to_contain_text("character 9")
    prompt = page.prompt("txt2img")
    expect(prompt).to_be_focused()
    assert prompt.evaluate("(e) => e.selectionStart") == 8


def test_keys_weigh_and_move_words(page: StudioPage) -> None:
    prompt = page.prompt("txt2img")
    prompt.fill("a cat, big dog, owl")
    select(page, 3, 3)
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a (cat:1.1), big dog, owl")
    prompt.press("Control+ArrowDown")
    expect(prompt).to_have_value("a cat, big dog, owl")
    prompt.press("Alt+ArrowRight")
    expect(prompt).to_have_value("big dog, a cat, owl")
    prompt.fill("an owl <lora:soft:0.8>")
    select(page, 12, 12)
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("an owl <lora:soft:0.85>")


def test_styles_are_saved_chosen_and_put_into_the_prompts(
    window: OpenWindow, own_site: Site
) -> None:
    page = window(at=own_site)
    page.open_group("txt2img_styles_group")
    page.prompt("txt2img").fill("in ink")
    page.page.locator("#txt2img_style_name :is(input, textarea)").fill("ink")
    page.page.locator("#txt2img_style_create").click()
    expect(page.notice("Saved as style")).to_be_visible()
    page.page.locator("#txt2img_styles input").click()
    page.page.get_by_role("option", name="ink").click()
    expect(title(page, "txt2img_styles_group")).to_have_text("Styles · ink")
    page.set("txt2img_steps", 1)
    page.generate("txt2img", "an owl")
    expect(page.picture("txt2img", "an owl, in ink")).to_be_visible(timeout=DONE_MS)
    page.page.locator("#txt2img_style_apply").click()
    expect(page.prompt("txt2img")).to_have_value("an owl, in ink")
    expect(title(page, "txt2img_styles_group")).to_have_text("Styles")


@pytest.mark.slow
def test_styles_are_overwritten_and_deleted_after_a_question(
    window: OpenWindow, own_site: Site
) -> None:
    own_site.post({"name": "chalk", "prompt": "in chalk"}, "/api/v1/styles")
    page = window(at=own_site)
    page.open_group("txt2img_styles_group")
    choose = page.page.locator("#txt2img_styles input")
    save = page.page.locator("#txt2img_style_create")
    delete = page.page.locator("#txt2img_style_delete")

    delete.click()
    expect(page.page.locator("gesso-fault[mode=txt2img]")).to_contain_text("No style is chosen")
    choose.click()
    page.page.get_by_role("option", name="chalk").click()
    page.page.locator("#txt2img_style_apply").click()
    expect(page.page.locator("#txt2img_style_name :is(input, textarea)")).to_have_value("chalk")
    page.prompt("txt2img").fill("in white chalk")
    save.click()
    expect(save).to_have_text("Overwrite “chalk”?")
    assert prompt_of(own_site, "chalk") == "in chalk"
    save.click()
    expect(page.notice("Saved as style “chalk”.")).to_be_visible()
    expect(save).to_have_text("Save")
    assert prompt_of(own_site, "chalk") == "in white chalk"

    choose.click()
    page.page.get_by_role("option", name="chalk").click()
    delete.click()
    expect(delete).to_have_text("Really delete “chalk”?")
    assert prompt_of(own_site, "chalk") == "in white chalk"
    delete.click()
    expect(page.notice("Deleted “chalk”.")).to_be_visible()
    assert prompt_of(own_site, "chalk") is None
    expect(title(page, "txt2img_styles_group")).to_have_text("Styles")
    choose.click()
    expect(page.page.get_by_role("option", name="chalk")).to_have_count(0)


def prompt_of(site: Site, style: str) -> str | None:
    """What a style says, None when there is no such style."""
    found = {one["name"]: one["prompt"] for one in site.get("/api/v1/styles")}
    return found.get(style)


@pytest.mark.slow
def test_sides_are_added_without_a_mask(page: StudioPage, site: Site, noise: Path) -> None:
    page.tab("inpaint")
    page.load_into_editor(noise)
    expect(page.number("inpaint_height")).to_have_value("192")
    page.set("inpaint_steps", 1)
    page.open_group("inpaint_outpaint")
    page.page.locator("#inpaint_outpaint_enabled input").check()
    page.set("inpaint_outpaint_left", 64)
    expect(title(page, "inpaint_outpaint")).to_have_text("Outpaint · left 64")
    page.make("inpaint", "an owl beyond the edge")
    recipe = site.newest("inpaint", "an owl beyond the edge")["recipe"]
    assert recipe["mask"] is None
    assert recipe["outpaint"]["left"] == 64


@pytest.mark.slow
def test_a_sketch_is_the_source(page: StudioPage, site: Site, noise: Path) -> None:
    page.tab("img2img")
    page.page.set_input_files("#img2img_image input[type=file]", noise)
    expect(page.number("img2img_height")).to_have_value("192")
    page.set("img2img_steps", 1)
    page.open_group("img2img_sketch_accordion")
    expect(page.page.locator("#img2img_sketch .pixi-target canvas")).to_be_visible()
    page.page.locator("#img2img_sketch_take").click()
    paint(page, "img2img_sketch")
    page.make("img2img", "an owl over a sketch")
    source = site.newest("img2img", "an owl over a sketch")["recipe"]["source"]["image"]
    assert site.read(f"/api/v1/inputs/{source}") != noise.read_bytes()


@pytest.mark.slow
def test_scale_sets_the_size_from_the_source(page: StudioPage, noise: Path) -> None:
    page.tab("img2img")
    page.page.set_input_files("#img2img_image input[type=file]", noise)
    expect(page.number("img2img_height")).to_have_value("192")
    page.open_group("img2img_source_extras")
    page.set("img2img_scale", 1.5)
    expect(page.number("img2img_width")).to_have_value("384")
    expect(page.number("img2img_height")).to_have_value("288")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_open_groups(window: OpenWindow, theme: str) -> None:
    page = window(f"?__theme={theme}")
    found = {tab: serious(page, tab) for tab in GROUPS}
    assert found == {tab: [] for tab in GROUPS}


def serious(page: StudioPage, tab: str) -> list[tuple[str, object, str]]:
    """What axe finds on a tab whose groups are all open: rule, place, markup."""
    open_all(page, tab)
    result: dict[str, Any] = Axe().run(page.page).response
    return [
        (v["id"], node["target"], node["html"][:160])
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


@pytest.mark.slow
def test_open_groups_fit_a_phone(window: OpenWindow) -> None:
    page = window(size=PHONE, touch=True)
    for tab in GROUPS:
        open_all(page, tab)
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab


def open_all(page: StudioPage, tab: str) -> None:
    page.tab(tab)
    for group in GROUPS[tab]:
        page.open_group(f"{tab}_{group}")
    for part in page.page.locator(".gesso-part input[type=checkbox]:visible").all():
        part.check()
