"""The Models tab: what it tells of files, and what can be done with them there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.catalog.test_cards import network
from tests.catalog.test_parts import STRANGERS, write
from tests.e2e.conftest import OpenWindow
from tests.e2e.site import Site
from tests.e2e.studio_page import open_tab

pytestmark = pytest.mark.browser


@pytest.fixture
def files(site: Site) -> Iterator[None]:
    """Two networks of one size, one in the folder of VAEs, and a file that can't be used."""
    models = site.folder / "models"
    made = [
        network(models / "Lora" / "Table ink.safetensors", note="1"),
        network(models / "VAE" / "Table owl.safetensors", note="2"),
        models / "ControlNet" / "table.safetensors",
    ]
    write(made[2], STRANGERS["controlnet"][1])
    yield
    for file in made:
        file.unlink()


@pytest.mark.usefixtures("files")
def test_models_are_found_looked_at_noted_and_compared(window: OpenWindow) -> None:
    studio = window()
    open_tab(studio.page, "models")
    table = studio.page.locator("gesso-models")
    table.get_by_role("button", name="Refresh").click()
    table.get_by_label("Search models").fill("table")
    expect(table.locator(".found")).to_have_text(re.compile("^2 models"))

    table.get_by_role("listitem").filter(has_text="Belongs in Lora").get_by_role("button").click()
    details = table.get_by_role("complementary")
    expect(details.get_by_role("heading")).to_have_text("Table owl")
    details.get_by_role("button", name="Notes and picture").click()
    table.get_by_label("Notes", exact=True).fill("for the tower")
    table.get_by_role("button", name="Save").click()
    expect(details.locator(".notes")).to_have_text("for the tower")

    table.get_by_role("button", name="Free memory").click()
    expect(studio.page.get_by_text("Memory is given back")).to_be_visible()

    table.get_by_role("button", name="Find duplicates").click()
    table.get_by_label("Show").select_option("duplicates")
    expect(table.locator(".found")).to_have_text("Nothing found.")
    table.get_by_label("Show").select_option("")
    table.locator(".problems summary").click()
    expect(table.locator(".problems")).to_contain_text("it is a ControlNet for SD 1.5")
    assert [v["id"] for v in Axe().run(studio.page).response["violations"]] == []
