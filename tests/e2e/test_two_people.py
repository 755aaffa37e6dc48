"""A team from its first minute: the owner, a guest from a phone, and who sees and stops what."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.conftest import until
from tests.e2e.studio_page import DONE_MS, StudioPage
from tests.e2e.team_site import OWNER, PASSWORD, TeamSite, sent, sign_up, studio_of

pytestmark = pytest.mark.browser

DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
STEP_S = 0.03
ANN = "Ann"
SECRETS = ("a crown of the owner", "a lighthouse of Ann")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamSite]:
    """A server that has no owner yet."""
    made = TeamSite(tmp_path_factory.mktemp("team"), STEP_S)
    made.start()
    yield made
    made.owner.close()
    made.stop()


@pytest.fixture(scope="module")
def profiles(browser: Browser) -> Iterator[list[BrowserContext]]:
    """Two browsers: the owner's on a desk, the other's in a hand."""
    desk = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    hand = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    yield [desk, hand]
    desk.close()
    hand.close()


@pytest.fixture(scope="module")
def windows(team: TeamSite, profiles: list[BrowserContext]) -> dict[str, StudioPage]:
    """The owner's window after the first start, and that of somebody whom the owner invited on
    the page, as both came there."""
    desk, hand = (profile.new_page() for profile in profiles)
    desk.goto(team.url)
    expect(desk).to_have_url(re.compile("/first-run$"))
    sign_up(desk, OWNER)
    owner = studio_of(desk, team)
    owner.tab("team")
    desk.get_by_label("Note", exact=True).fill("for Ann")
    desk.get_by_role("button", name="Make a link").click()
    link = desk.locator("gesso-team").get_by_label("Invitation", exact=True)
    expect(link).to_have_value(re.compile(r"/join/[\w-]+$"))
    expect(desk.get_by_alt_text("QR code of the invitation")).to_be_visible()

    hand.goto(link.input_value())
    assert hand.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sign_up(hand, ANN)
    ann = studio_of(hand, team)
    sent(team.owner, "POST", "/api/v1/session", name=OWNER, password=PASSWORD)
    return {OWNER: owner, ANN: ann}


@pytest.fixture(autouse=True)
def quiet(windows: dict[str, StudioPage], team: TeamSite) -> Iterator[None]:
    """No job is left from a test to the next, and no window has a fault."""
    yield
    sent(team.owner, "POST", "/api/v1/queue/all/cancel")
    until(lambda: not sent(team.owner, "GET", "/api/v1/queue/all")["jobs"])
    assert [fault for window in windows.values() for fault in window.faults] == []


def begin(window: StudioPage, prompt: str) -> None:
    """Ask for a picture that takes long."""
    window.tab("txt2img")
    window.set("txt2img_steps", 150)
    window.set("txt2img_batch_count", 20)
    window.generate("txt2img", prompt)


def is_open(window: StudioPage, prompt: str) -> None:
    """One's own job stands in one's own line."""
    strip = window.results("txt2img").locator(".queue-strip")
    expect(strip.locator("li")).to_have_count(1, timeout=DONE_MS)
    expect(strip).to_contain_text(prompt)


def everything(window: StudioPage) -> str:
    """All that a window holds: text, attributes, and what stands in controls."""
    return str(
        window.page.evaluate(
            """() => document.documentElement.outerHTML + [...document.querySelectorAll(
                "input, textarea, select")].map((e) => e.value).join("\\n")"""
        )
    )


def test_the_owner_has_the_team_tab_and_others_have_not(windows: dict[str, StudioPage]) -> None:
    owner, ann = windows[OWNER], windows[ANN]
    owner.tab("txt2img")
    owner.tab("team")
    people = owner.page.locator("gesso-team").get_by_role("table", name="People")
    expect(people).to_contain_text(ANN)
    expect(owner.page.locator("#account_open")).to_have_text(OWNER)
    expect(ann.page.locator("#tab_team-button")).to_be_hidden()
    assert ann.page.evaluate("fetch('/api/v1/people').then((answer) => answer.status)") == 403
    ann.faults.clear()  # a browser calls a refusal an error


def test_the_team_tab_shows_what_happens_while_it_is_read(
    windows: dict[str, StudioPage], team: TeamSite
) -> None:
    owner = windows[OWNER]
    owner.tab("team")
    tab = owner.page.locator("gesso-team")
    expect(tab.get_by_role("table", name="People")).to_contain_text(ANN)
    sent(team.owner, "POST", "/api/v1/invitations", role="artist", note="Eve from below")
    expect(tab).to_contain_text("Eve from below", timeout=DONE_MS)


def test_extensions_are_the_owners_and_others_see_what_is_on(
    windows: dict[str, StudioPage], team: TeamSite
) -> None:
    place = windows[ANN].page.locator("gesso-extensions")
    windows[ANN].tab("extensions")
    expect(place).to_contain_text("These extensions are on.")
    expect(place).to_contain_text("Film look")
    expect(place.locator("button, input")).to_have_count(0)
    assert str(team.folder) not in everything(windows[ANN])
    windows[OWNER].tab("extensions")
    expect(windows[OWNER].page.get_by_role("switch", name="Film look")).to_be_checked()


def test_each_sees_their_own_while_both_work(windows: dict[str, StudioPage]) -> None:
    owner, ann = windows[OWNER], windows[ANN]
    for window, prompt in zip((owner, ann), SECRETS, strict=True):
        window.tab("txt2img")
        window.set("txt2img_steps", 40)
        window.generate("txt2img", prompt)
    for window, own, other in ((owner, *SECRETS), (ann, *SECRETS[::-1])):
        expect(window.picture("txt2img", own)).to_be_visible(timeout=DONE_MS)
        window.tab("history")
        tiles = window.page.locator("gesso-history .tile")
        expect(tiles).to_have_count(1)
        expect(tiles.first).to_have_attribute("title", own)
        assert other not in everything(window)


def test_nobody_opens_the_pictures_jobs_and_previews_of_another(
    windows: dict[str, StudioPage], team: TeamSite
) -> None:
    ann = windows[ANN]
    begin(windows[OWNER], "a vault of the owner")
    is_open(windows[OWNER], "a vault of the owner")
    job = until(lambda: sent(team.owner, "GET", "/api/v1/state")["jobs"])[0]["id"]
    until(lambda: team.owner.get(f"/api/v1/jobs/{job}/preview").status_code == 200)
    theirs = [f"/api/v1/jobs/{job}", f"/api/v1/jobs/{job}/preview"]
    for picture in sent(team.owner, "GET", "/api/v1/pictures")["pictures"]:
        id = picture["id"]
        theirs += [f"/pictures/{id}", f"/pictures/{id}/thumbnail", f"/api/v1/pictures/{id}"]
    statuses = ann.page.evaluate(
        "async (all) => Promise.all(all.map(async (at) => (await fetch(at)).status))", theirs
    )
    assert len(statuses) >= 5
    assert set(statuses) == {404}
    ann.faults.clear()  # a browser calls an answer of 404 an error


def test_cancelling_everything_of_ones_own_leaves_the_others_job(
    windows: dict[str, StudioPage],
) -> None:
    owner, ann = windows[OWNER], windows[ANN]
    begin(owner, "the owner goes on")
    is_open(owner, "the owner goes on")
    begin(ann, "Ann thinks again")
    is_open(ann, "Ann thinks again")
    ann.generate("txt2img", "and a third time")
    expect(ann.results("txt2img")).to_contain_text(re.compile("ahead|Next|Waiting", re.IGNORECASE))
    strip = ann.results("txt2img").locator(".queue-strip")
    strip.get_by_role("button", name="Put the queue in order").click()
    strip.get_by_role("button", name="Cancel all mine").click()
    expect(strip.get_by_role("list", name="My jobs").get_by_role("listitem")).to_have_count(0)
    is_open(owner, "the owner goes on")
    step = owner.results("txt2img").locator(".head .words")
    expect(step).to_have_text(re.compile(r"Step \d+"))
    expect(ann.status).to_contain_text("Working on")  # what the engine does is no secret
    assert "the owner goes on" not in everything(ann)


@pytest.mark.slow
def test_who_looks_on_learns_that_somebody_else_began(windows: dict[str, StudioPage]) -> None:
    owner, ann = windows[OWNER], windows[ANN]
    ann.tab("txt2img")
    line = ann.page.locator("#txt2img_ahead .words")
    expect(line).not_to_be_empty()
    expect(line).not_to_contain_text("ahead")
    begin(owner, "the owner comes in between")
    expect(ann.status).to_contain_text("Working on")
    expect(line).to_contain_text("1 job ahead")
    assert "comes in between" not in everything(ann)


@pytest.mark.slow
def test_a_revoked_browser_is_shown_the_door_at_once(
    windows: dict[str, StudioPage], team: TeamSite
) -> None:
    owner, ann = windows[OWNER], windows[ANN]
    ann.tab("txt2img")
    owner.tab("team")
    owner.page.get_by_role("button", name=f"Sign out everywhere: {ANN}").click()
    expect(ann.page).to_have_url(re.compile("/sign-in"), timeout=DONE_MS)
    assert ann.page.evaluate("fetch('/api/v1/state').then((answer) => answer.status)") == 401
    assert owner.page.evaluate("fetch('/api/v1/state').then((answer) => answer.status)") == 200
    ann.faults.clear()  # a browser calls a refusal an error
    sign_up(ann.page, ANN)
    studio_of(ann.page, team)


@pytest.mark.slow
def test_who_signs_out_leaves_no_words_in_the_browser(
    windows: dict[str, StudioPage], team: TeamSite
) -> None:
    ann = windows[ANN]
    ann.tab("txt2img")
    ann.prompt("txt2img").fill("a secret of Ann's that nobody reads")
    ann.page.wait_for_function("JSON.stringify({...sessionStorage}).includes('a secret of Ann')")
    ann.page.locator("#sign_out").click()
    expect(ann.page).to_have_url(re.compile("/sign-in"), timeout=DONE_MS)
    kept = "JSON.stringify([{...sessionStorage}, {...localStorage}])"
    assert ann.page.evaluate(kept) == "[{},{}]"
    sign_up(ann.page, ANN)
    expect(studio_of(ann.page, team).prompt("txt2img")).to_have_value("")
    ann.faults.clear()  # a browser calls a refusal an error


@pytest.mark.slow
def test_who_may_only_look_sees_what_is_shared(
    windows: dict[str, StudioPage], team: TeamSite, browser: Browser
) -> None:
    viewer = team.join("Vera", "viewer")
    profile = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    cookies = [(cookie.name, str(cookie.value)) for cookie in viewer.cookies.jar]
    viewer.close()
    profile.add_cookies(
        [{"name": name, "value": value, "url": team.url} for name, value in cookies]
    )
    page = StudioPage(profile.new_page(), team)
    page.page.goto(team.url)
    history = page.page.locator("gesso-history")
    expect(history).to_contain_text("Nothing is shared with you yet.", timeout=DONE_MS)
    expect(page.page.locator("#txt2img_generate")).to_be_hidden()
    expect(page.page.locator("#history_album_new")).to_be_hidden()
    for useless in ("setting_sd_model_checkpoint", "refresh_sd_model_checkpoint", "starter_notice"):
        expect(page.page.locator(f"#{useless}")).to_be_hidden()

    sent(team.owner, "POST", "/api/v1/jobs", prompt="shown to all", sampling={"steps": 2})
    found = until(lambda: sent(team.owner, "GET", "/api/v1/pictures?search=shown")["pictures"])
    picture = found[0]["id"]
    album = sent(team.owner, "POST", "/api/v1/albums", title="For all", is_for_team=True)["id"]
    sent(team.owner, "PUT", f"/api/v1/albums/{album}/pictures/{picture}")
    page.page.reload()
    expect(history.locator(".tile")).to_have_count(1, timeout=DONE_MS)
    expect(page.page.locator("#history_album")).to_have_value(album)
    page.tab("pnginfo")
    assert page.faults == []
    profile.close()
