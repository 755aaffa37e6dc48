"""Adding a model in the Models tab: looked up, fetched, listed; tokens are never shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.downloads.source import Source, lora, serving_files
from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import open_tab

pytestmark = pytest.mark.browser


@pytest.fixture
def source(site: Site) -> Iterator[Source]:
    """A server that the studio may download from; what it fetched is removed."""
    port = str(site.settings["download_hosts"]).rpartition(":")[2]
    with serving_files(int(port)) as made:
        yield made
    (site.folder / "models" / "Lora" / "Fetched ink.safetensors").unlink()


@pytest.mark.slow
def test_a_model_is_looked_up_fetched_and_cleared(
    window: OpenWindow, source: Source, tmp_path: Path
) -> None:
    url = source.put("/Fetched%20ink.safetensors", lora(tmp_path))
    studio = window()
    studio.allowed = ("422",)
    page = studio.page
    open_tab(page, "models")
    adding = page.get_by_role("region", name="Downloads of models")
    adding.get_by_text("Add a model").click()

    adding.get_by_label("Address, or").fill("https://127.0.0.1/ink.safetensors")
    adding.get_by_role("button", name="Look up").click()
    expect(adding.get_by_role("alert").first).to_contain_text("private network")

    adding.get_by_label("Address, or").fill(url)
    adding.get_by_role("button", name="Look up").click()
    expect(adding.locator(".facts")).to_contain_text("LoRA, SD 1.5")
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
    adding.get_by_role("button", name="Download", exact=True).click()
    row = adding.get_by_role("list", name="Downloads").get_by_role("listitem")
    expect(row).to_contain_text("It is in its folder.")
    expect(page.locator("gesso-models .list")).to_contain_text("Fetched ink")

    adding.get_by_text("Tokens").click()
    token = adding.get_by_label("Hugging Face: kept")
    token.fill("hf_verysecret123")
    adding.get_by_role("button", name="Keep the token for Hugging Face").click()
    expect(token).to_have_attribute("placeholder", "One is kept")
    expect(token).to_have_value("")
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []
    adding.get_by_role("button", name="Forget the token for Hugging Face").click()
    expect(token).to_have_attribute("placeholder", "None is kept")
    row.get_by_role("button", name="Clear").click()
    expect(row).to_have_count(0)
