"""Hostile texts at every place where people and files bring texts to the page: none of them runs.

The page is looked at without its content security policy, so that whatever became an element or
an attribute would run, and each look searches it for elements and attributes that a text made.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.canaries import IN_NAMES, PAYLOADS, Plants, pictures, plant_files
from tests.e2e.canary_people import plant_by_people
from tests.e2e.studio_page import StudioPage, open_tab
from tests.e2e.team_site import PASSWORD, TeamSite, studio_of
from tests.e2e.test_plans import choose, write

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.name == "nt", reason="no file there can have such a name"),
]

LINES = "script_txt2img_prompts_from_file_or_textbox_prompt_txt"
DESK = {"width": 1366, "height": 768}
WATCH = """
Object.defineProperty(window, "__x", {
  set: (place) => console.error("canary " + place + " ran at " + location.pathname),
  get: () => undefined,
});
"""
SEARCH = """
() => {
  const isCode = ({ name, value }) =>
    (name.startsWith("on") && value.includes("__x")) ||
    (["href", "src", "action", "formaction", "data", "xlink:href"].includes(name) &&
      /^[\\s\\0]*(javascript|data:text)/i.test(value)) ||
    (name === "srcdoc" && value.includes("__x"));
  const walk = (root) => [...root.querySelectorAll("*")].flatMap((element) => [
    ...[...element.attributes].filter(isCode).map((a) => `${element.localName} ${a.name}`),
    ...(element.shadowRoot ? walk(element.shadowRoot) : []),
    ...(element.localName === "script" && element.text.startsWith("__x=") ? ["script"] : []),
  ]);
  return walk(document);
}
"""
HOLDS = """
() => [document.title, location.href, document.documentElement.outerHTML,
  ...[...document.querySelectorAll("input, textarea, select")].map((e) => e.value)].join(" ")
"""
NEVER_SHOWN = {
    "network, modelspec.title",
    "network, ss_sd_model_name",
    "network, ss_tag_frequency",
    "network, sd version",
    "Civitai, name",
    "Civitai, base model",
    "Civitai, model",
    "wildcard, name",
    "wildcard, line",
    "browser of a session",
    "name at the door",
    "prompt of a failure",
    "infotext, unknown key",
    "text chunk, key",
}
"""Places whose texts the page has no use for, or tells in words of its own."""
KINDS = {
    "Embeddings": "embedding, name",
    "Checkpoints": "checkpoint, name",
    "LoRA": "network, name",
}
"""What each list of cards begins with."""
INJECTING = ("<img", "<svg", '">', "'>", "<details", "<input", "<video", "<script>")


class Looker:
    """A window of the owner's, what was wrong in it, and which places' texts it has shown."""

    def __init__(self, page: Page, plants: Plants) -> None:
        self.page = page
        self.plants = plants
        self.faults: list[str] = []
        self.shown: set[int] = set()
        page.on("console", lambda message: self._note(message.text, "canary"))
        page.on("dialog", lambda dialog: self.faults.append(f"a dialog: {dialog.message}"))

    def look(self) -> None:
        """Search the page as it is now."""
        self.faults += [f"{self.page.url}: {found}" for found in self.page.evaluate(SEARCH)]
        held = str(self.page.evaluate(HOLDS))
        self.shown |= {int(number) for number in re.findall(r"__x(?:=|%3D)(\d+)", held)}

    def unseen(self) -> list[str]:
        """The places whose texts were never on the page."""
        places = enumerate(self.plants.places, 1)
        return [place for number, place in places if number not in self.shown]

    def _note(self, text: str, word: str) -> None:
        if word in text:
            self.faults.append(text)


@pytest.fixture(scope="module")
def plants() -> Plants:
    return Plants()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, plants: Plants) -> Iterator[TeamSite]:
    """A server where everything that can be named is named by an enemy."""
    made = TeamSite(tmp_path_factory.mktemp("hostile"), 0.0, webhook_hosts="127.0.0.1:9")
    plant_files(made.folder, plants)
    made.start()
    made.make_owner()
    yield made
    made.owner.close()
    made.stop()


@pytest.fixture(scope="module")
def shared(team: TeamSite, plants: Plants) -> str:
    """The path of a link to an album, once all is planted."""
    return plant_by_people(team, plants)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that obeys no content security policy."""
    made = browser.new_context(viewport=DESK, bypass_csp=True)  # type: ignore[arg-type]
    made.add_init_script(WATCH)
    yield made
    made.close()


@pytest.mark.slow
def test_the_watch_would_notice(context: BrowserContext, plants: Plants, team: TeamSite) -> None:
    """Set as HTML, the texts do run, and are found."""
    page = context.new_page()
    page.goto(f"{team.url}/sign-in")
    looker = Looker(page, plants)
    texts = [text.replace("#", "7") for text in PAYLOADS if text.startswith(INJECTING)]
    with page.expect_console_message(lambda message: "canary 7 ran" in message.text):
        page.evaluate(
            """(texts) => texts.forEach((text) => {
                document.body.appendChild(document.createElement("div")).innerHTML = text;
            })""",
            texts,
        )
    looker.look()
    assert any("canary 7 ran" in fault for fault in looker.faults)
    assert sum(" on" in fault for fault in looker.faults) >= 6


@pytest.mark.slow  # a minute: it looks at every page
def test_no_text_runs_anywhere(
    context: BrowserContext, team: TeamSite, plants: Plants, shared: str, tmp_path: Path
) -> None:
    page = context.new_page()
    looker = Looker(page, plants)
    _at_the_door(looker, team, shared)
    for cookie in team.owner.cookies.jar:
        context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": team.url}])
    page.goto(team.url)
    studio = studio_of(page, team)
    studio.allowed = ("the server responded with a status of 4", "ERR_ABORTED")
    _in_the_studio(looker, studio)
    _with_pictures(looker, studio, tmp_path)
    _in_lists(looker, studio)
    _with_addresses(looker, studio)
    assert looker.faults + studio.faults == []
    assert set(looker.unseen()) <= NEVER_SHOWN
    assert len(plants.places) - len(looker.unseen()) >= 50
    counts = {place: sum(p == place for p, _ in plants.planted) for place in plants.places}
    assert {place: count for place, count in counts.items() if count < 20} == {}


def _at_the_door(looker: Looker, team: TeamSite, shared: str) -> None:
    """The pages that anybody can be led to, by addresses that anybody can make."""
    page, plants = looker.page, looker.plants
    for payload in plants.each("address of the sign-in page", IN_NAMES[:20]):
        page.goto(f"{team.url}/sign-in?next={quote(payload)}#{quote(payload)}")
        expect(page.locator("main")).to_be_visible()
        looker.look()
    for name in plants.each("name that is refused", PAYLOADS[-20:]):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        looker.look()
    for payload in plants.each("address of an invitation", IN_NAMES[:20]):
        page.goto(f"{team.url}/join/{quote(payload, safe='')}")
    expect(page.get_by_role("alert")).not_to_be_empty()
    looker.look()
    page.goto(f"{team.url}{team.invite(note='to be opened')}")
    for name in plants.each("name of a new person", PAYLOADS[-20:]):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        looker.look()
    page.goto(f"{team.url}{shared}")
    expect(page.locator("li img").first).to_be_visible()
    looker.look()
    for payload in plants.each("address of an album", IN_NAMES[:20]):
        page.goto(f"{team.url}/shared/{quote(payload, safe='')}")
        looker.look()


def _in_the_studio(looker: Looker, studio: StudioPage) -> None:
    """Prompts, lists to choose from, queue, cards and settings."""
    page = looker.page
    looker.look()
    studio.open_group("txt2img_styles_group")
    for id in ("txt2img_styles", "setting_sd_model_checkpoint"):
        page.locator(f"#{id} input").first.click()
        expect(page.get_by_role("option").first).to_be_visible()
        looker.look()
        page.get_by_role("option").first.click()
    page.locator("#txt2img_style_apply").click()
    expect(studio.prompt("txt2img")).not_to_be_empty()
    looker.look()
    queue = studio.results("txt2img").get_by_role("button", name="Put the queue in order")
    queue.click()
    looker.look()
    queue.click()
    choose(studio, "txt2img_script_list", "Prompts from file or textbox")
    for payload in looker.plants.each("value that is refused", IN_NAMES[:20]):
        write(studio, LINES, f"--sampler_name {shlex.quote(payload)}")
        page.locator("#txt2img_generate").click()
        expect(page.locator("gesso-fault[mode=txt2img]")).to_contain_text(payload)
        looker.look()
    page.locator("#txt2img_extra_networks").click()
    cards = page.locator("gesso-cards[mode=txt2img]")
    expect(cards.locator(".card .use").first).to_be_visible()
    looker.look()
    for kind, place in KINDS.items():
        cards.get_by_role("button", name=kind, exact=True).click()
        number = looker.plants.places.index(place) + 1
        expect(cards.locator(".card .use").first).to_contain_text(f"__x={number}")
        looker.look()
    for card in cards.locator(".card .use").all()[:3]:
        card.click()
        looker.look()
    cards.locator(".card").first.hover()
    cards.get_by_role("button", name=re.compile("^Notes on")).first.click()
    looker.look()
    page.keyboard.press("Escape")
    studio.tab("img2img")
    expect(studio.results("img2img")).to_contain_text("This did not work")
    looker.look()
    studio.tab("settings")
    expect(page.locator("#setting_folder_pattern textarea")).not_to_be_empty()
    page.locator("#settings_startup").click()
    looker.look()


def _with_pictures(looker: Looker, studio: StudioPage, folder: Path) -> None:
    """Pictures from elsewhere, told about, restored and used as sources."""
    page = looker.page
    studio.tab("pnginfo")
    told = page.locator("gesso-png-info .told")
    for file in pictures(folder, looker.plants):
        page.locator("#pnginfo_image").set_input_files(file)
        expect(page.locator("gesso-png-info img")).to_have_attribute("alt", file.name)
        expect(told.locator("button").first).to_be_visible()
        looker.look()
    page.locator("#pnginfo_image").set_input_files(next(pictures(folder, looker.plants)))
    page.locator("#pnginfo_send_to_txt2img").click()
    expect(page.locator("#tab_txt2img")).to_be_visible()
    expect(page.locator("gesso-notices .passing .notice").first).to_be_visible()
    looker.look()
    names = list(folder.glob("*.png"))
    studio.tab("img2img")
    page.set_input_files("#img2img_image input[type=file]", names[0])
    expect(page.locator("#img2img_image img")).to_be_visible()
    looker.look()
    studio.tab("extras")
    studio.open_group("extras_several")
    page.set_input_files("#extras_image_batch input[type=file]", names)
    looker.look()


def _in_lists(looker: Looker, studio: StudioPage) -> None:
    """History, models, team and account."""
    page = looker.page
    studio.tab("history")
    tiles = page.locator("gesso-history .tile")
    expect(tiles.first).to_be_visible()
    looker.look()
    for tile in (tiles.first, tiles.last):
        tile.click()
        expect(page.locator("gesso-history .details .infotext")).not_to_be_empty()
        looker.look()
    page.locator("#history_add_to_album").click()
    expect(page.locator("#history_put_album")).to_be_visible()
    looker.look()
    page.keyboard.press("Escape")
    page.locator("#history_album").select_option(index=1)
    expect(page.locator("#history_album_edit")).to_be_visible()
    page.locator("#history_album_edit").click()
    expect(page.locator("#album_title")).to_be_visible()
    looker.look()
    page.keyboard.press("Escape")
    _in_models(looker)
    studio.tab("team")
    for part in page.locator("gesso-team details summary").all():
        part.click()
    expect(page.locator("gesso-team").get_by_role("table", name="Webhooks")).to_be_visible()
    looker.look()
    page.locator("#account_open").click()
    expect(page.get_by_role("table", name="Keys")).to_be_visible()
    looker.look()
    page.keyboard.press("Escape")


def _in_models(looker: Looker) -> None:
    """The table of models, details, problems, and addresses to fetch from."""
    page = looker.page
    open_tab(page, "models")
    table = page.locator("gesso-models")
    rows = table.get_by_role("listitem")
    expect(rows.first).to_be_visible()
    table.get_by_label("Search models").fill("lora")
    expect(rows.first).to_contain_text("LoRA")
    for row in rows.all()[:8]:
        row.get_by_role("button").first.click()
        expect(table.get_by_role("complementary")).to_be_visible()
        looker.look()
    table.locator(".problems summary").click()
    looker.look()
    adding = page.get_by_role("region", name="Downloads of models")
    adding.get_by_text("Add a model").click()
    for payload in looker.plants.each("address of a download", PAYLOADS[-20:]):
        adding.get_by_label("Address, or").fill(payload)
        adding.get_by_role("button", name="Look up").click()
        expect(adding.get_by_role("alert").first).not_to_be_empty()
        looker.look()


def _with_addresses(looker: Looker, studio: StudioPage) -> None:
    """The studio's own page, by addresses that anybody can make."""
    page = looker.page
    payloads = [quote(text) for text in looker.plants.each("address of the studio", IN_NAMES)]
    query = "&".join(f"{name}={name}" for name in payloads)
    page.goto(f"{studio.site.url}/?{query}&__theme={payloads[0]}#{payloads[0]}")
    expect(page.locator("#txt2img_generate")).to_be_visible()
    looker.look()
