"""Jobs belong to the server: refresh, another window, cancel, failure, restart."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import until
from tests.e2e.conftest import OpenWindow
from tests.e2e.serve import CRASHES_ONCE, OUT_OF_MEMORY
from tests.e2e.site import Site
from tests.e2e.studio_page import DONE_MS, StudioPage
from tests.model_files import safetensors

pytestmark = pytest.mark.browser

LONG = 150
REFRESH_S = 2.0


def start_long(page: StudioPage, prompt: str, batch_count: int = 1) -> None:
    """Start a job of several seconds and wait until it runs."""
    page.set("txt2img_steps", LONG)
    page.set("txt2img_batch_count", batch_count)
    page.generate("txt2img", prompt)
    expect(page.results("txt2img").locator(".head .words")).to_contain_text("Step")


def cancel_all(page: StudioPage) -> None:
    """Press Cancel until it is gone: just after it came, it takes no click."""
    cancel = page.cancel("txt2img")

    def is_over() -> bool:
        cancel.dispatch_event("click")
        return cancel.is_hidden()

    until(is_over)


def job_of(site: Site, prompt: str) -> dict[str, Any]:
    return next(dict(j) for j in site.get("/api/v1/jobs?limit=50") if j["prompt"] == prompt)


def test_a_refresh_shows_the_running_job_within_two_seconds(page: StudioPage) -> None:
    """Of the page being there: how fast a browser loads it depends on what else is running."""
    start_long(page, "an owl across a refresh", batch_count=20)
    page.page.wait_for_function(
        "sessionStorage.getItem('gesso.drafts')?.includes('across a refresh')"
    )
    page.page.reload(wait_until="commit")
    expect(page.page.locator("#txt2img_generate")).to_be_visible(timeout=DONE_MS)
    start = time.monotonic()
    words = page.results("txt2img").locator(".head .words")
    expect(words).to_contain_text("Step")
    expect(page.results("txt2img").locator(".stage img.preview")).to_be_visible()
    seconds = time.monotonic() - start
    expect(page.prompt("txt2img")).to_have_value("an owl across a refresh")
    expect(page.number("txt2img_steps")).to_have_value(str(LONG))
    cancel_all(page)
    print(f"running job shown {seconds:.2f} s after the page")
    assert seconds < REFRESH_S


@pytest.mark.slow
def test_a_second_browser_sees_the_job_and_its_picture(
    page: StudioPage, window: OpenWindow
) -> None:
    other = window()
    start_long(page, "an owl for two")
    words = other.results("txt2img").locator(".head .words")
    expect(words).to_contain_text("Started in another window")
    expect(words).to_contain_text("Step")
    for watcher in (page, other):
        expect(watcher.picture("txt2img", "an owl for two")).to_be_visible(timeout=DONE_MS)


def test_the_queue_shows_places_and_each_job_can_be_cancelled(page: StudioPage) -> None:
    start_long(page, "first in line", batch_count=20)
    page.generate("txt2img", "second in line")
    chips = page.results("txt2img").locator(".queue-strip li")
    expect(chips).to_have_count(2)
    expect(chips.nth(1)).to_contain_text("1 ahead")
    expect(page.status).to_contain_text("1 waiting")
    chips.nth(1).get_by_role("button").click()
    expect(chips).to_have_count(1)
    cancel_all(page)
    expect(chips).to_have_count(0)


def test_cancel_keeps_what_was_finished(page: StudioPage, site: Site) -> None:
    page.set("txt2img_steps", 30)
    page.set("txt2img_batch_count", 50)
    page.generate("txt2img", "owls until cancelled")
    expect(page.results("txt2img").locator(".tile.of-job")).not_to_have_count(0)
    expect(page.results("txt2img").locator(".head .words")).to_contain_text("Picture 2 of 50")
    cancel_all(page)
    expect(page.results("txt2img").locator(".head .words")).to_contain_text("Cancelled")
    job = job_of(site, "owls until cancelled")
    assert job["state"] == "cancelled"
    assert 1 <= len(job["pictures"]) < 50


def test_a_failed_job_says_why_and_can_be_tried_again(page: StudioPage, site: Site) -> None:
    prompt = f"an owl {OUT_OF_MEMORY}"
    page.generate("txt2img", prompt)
    failure = page.results("txt2img").locator(".stage .failure")
    expect(failure).to_be_visible(timeout=DONE_MS)
    expect(failure).to_contain_text("memory")
    failure.get_by_role("button", name="Try again").click()
    jobs = until(lambda: two_of(site, prompt))
    assert jobs[0]["seed"] == jobs[1]["seed"]
    expect(failure).to_be_visible(timeout=DONE_MS)


def two_of(site: Site, prompt: str) -> list[dict[str, Any]]:
    found = [j for j in site.get("/api/v1/jobs?limit=50") if j["prompt"] == prompt]
    return found if len(found) == 2 else []


def test_a_crash_of_the_engine_is_said_and_survived(page: StudioPage, site: Site) -> None:
    prompt = f"an owl that {CRASHES_ONCE}"
    page.generate("txt2img", prompt)
    expect(page.picture("txt2img", prompt)).to_be_visible(timeout=2 * DONE_MS)
    assert job_of(site, prompt)["recovered"] is True
    expect(page.status).to_contain_text("Ready on", timeout=DONE_MS)


@pytest.mark.slow
def test_jobs_and_page_survive_a_kill_of_the_server(window: OpenWindow, own_site: Site) -> None:
    page = window(at=own_site)
    page.allowed = ("net::ERR_",)
    start_long(page, "an owl across a restart", batch_count=4)
    own_site.kill()
    expect(page.notice("The connection to the server is lost")).to_be_visible()
    expect(page.status).to_contain_text("No connection")
    page.page.locator("#txt2img_generate").dispatch_event("click")
    expect(page.notice("What you typed stays")).to_be_visible()
    own_site.start()
    expect(page.notice("The connection to the server is lost")).to_be_hidden(timeout=DONE_MS)
    words = page.results("txt2img").locator(".head .words")
    expect(words).to_contain_text("Running again after a restart", timeout=DONE_MS)
    expect(page.prompt("txt2img")).to_have_value("an owl across a restart")
    until(lambda: job_of(own_site, "an owl across a restart")["state"] == "done", 60)
    assert len(job_of(own_site, "an owl across a restart")["pictures"]) == 4


@pytest.mark.slow
def test_a_full_disk_holds_the_queue_until_there_is_room(
    window: OpenWindow, own_site: Site
) -> None:
    page = window(at=own_site)
    keep_free(page, 1_000_000)
    page.tab("txt2img")
    page.generate("txt2img", "an owl that waits for room")
    waiting = page.page.locator("gesso-notices .lasting")
    expect(waiting).to_contain_text("The queue is waiting")
    expect(page.cancel("txt2img")).to_contain_text("waiting")
    keep_free(page, 0)
    page.tab("txt2img")
    expect(page.picture("txt2img", "an owl that waits for room")).to_be_visible(timeout=DONE_MS)
    expect(waiting).to_be_hidden()


def open_settings(page: StudioPage) -> None:
    """The tab, once it shows what is in force: it is filled anew at each visit."""
    with page.page.expect_response("**/gradio_api/run/**"):
        page.tab("settings")


def keep_free(page: StudioPage, megabytes: int) -> None:
    open_settings(page)
    page.set("setting_keep_free_mb", megabytes)
    page.page.locator("#settings_submit").click()
    expect(page.notice("Settings saved").last).to_be_visible()
    expect(page.notice("Settings saved")).to_have_count(0)


def test_settings_are_saved_at_their_fields(page: StudioPage) -> None:
    open_settings(page)
    quality = page.number("setting_picture_quality")
    fault = page.page.locator("gesso-fault[mode=settings]")
    quality.fill("500")
    page.page.locator("#settings_submit").click()
    expect(fault).to_contain_text("500 is too large. The largest is 100.")
    expect(page.page.locator("#setting_picture_quality [aria-invalid=true]")).to_be_focused()
    quality.fill("81")
    page.page.locator("#settings_submit").click()
    expect(page.notice("Settings saved")).to_be_visible()
    expect(fault).to_be_empty()
    page.open()
    page.tab("settings")
    expect(page.number("setting_picture_quality")).to_have_value("81")


@pytest.mark.slow
def test_the_checkpoint_is_remembered(window: OpenWindow, own_site: Site) -> None:
    page = window(at=own_site)
    add_checkpoint(own_site.folder / "models" / "dreamy.safetensors")
    page.page.locator("#refresh_sd_model_checkpoint").click()
    expect(page.page.locator("#setting_sd_model_checkpoint input")).to_have_value(
        re.compile("^dreamy")
    )
    choose_checkpoint(page, "starter")
    page.set("txt2img_steps", 33)
    choose_checkpoint(page, "dreamy")
    expect(page.number("txt2img_width")).to_have_value("512")
    expect(page.number("txt2img_steps")).to_have_value("33")
    expect(page.page.locator("#starter_notice")).to_have_count(0)
    page.open()
    expect(page.page.locator("#setting_sd_model_checkpoint input")).to_have_value(
        re.compile("^dreamy")
    )
    page.tab("img2img")
    expect(page.number("img2img_width")).to_have_value("512")


@pytest.mark.slow
def test_a_checkpoint_that_is_taken_away_leaves_the_page_usable(
    window: OpenWindow, own_site: Site
) -> None:
    file = own_site.folder / "models" / "dreamy.safetensors"
    add_checkpoint(file)
    page = window(at=own_site)
    box = page.page.locator("#setting_sd_model_checkpoint input")
    expect(box).to_have_value(re.compile("^dreamy"))
    file.unlink()
    page.page.locator("#refresh_sd_model_checkpoint").click()
    expect(box).to_have_value(re.compile("^starter"))
    page.set("txt2img_steps", 2)
    page.make("txt2img", "an owl of the starter model")


@pytest.mark.slow
def test_refresh_says_why_a_file_can_not_be_used(window: OpenWindow, own_site: Site) -> None:
    page = window(at=own_site)
    refresh = page.page.locator("#refresh_sd_model_checkpoint")
    refresh.click()
    expect(page.notice("1 checkpoint in the list")).to_be_visible()
    models = own_site.folder / "models"
    models.mkdir(exist_ok=True)
    (models / "broken.safetensors").write_bytes(b"not a model")
    refresh.click()
    expect(page.notice("“broken.safetensors” can't be used")).to_be_visible()


def choose_checkpoint(page: StudioPage, name: str) -> None:
    box = page.page.locator("#setting_sd_model_checkpoint input")
    box.click()
    page.page.get_by_role("option", name=name).click()


def add_checkpoint(path: Path) -> None:
    """A file that the catalog takes for a Stable Diffusion 1 checkpoint, all zeros."""
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        "model.diffusion_model.middle_block.1.proj_in.weight": [1280, 1280, 1, 1],
        "model.diffusion_model.out.2.weight": [4, 320, 3, 3],
        "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": [768],
    }
    safetensors(path, shapes)
