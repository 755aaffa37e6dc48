"""What hostile people can bring to a studio through the API: words for all that has a name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from tests.conftest import png, until
from tests.e2e.canaries import IN_NAMES, PAYLOADS, PLAIN, Plants
from tests.e2e.serve import OUT_OF_MEMORY
from tests.e2e.team_site import OWNER, TeamSite, sent

SMALL: Final = {"width": 64, "height": 64, "sampling": {"steps": 1}}
IN_HEADERS: Final = tuple(text for text in PAYLOADS if text.isascii())
SHORT: Final = tuple(text for text in IN_HEADERS if len(text) < 60)
MOST_HOOKS: Final = 20


def plant_by_people(site: TeamSite, plants: Plants) -> str:
    """Everything with the owner's hand; the path of a link to an album of it."""
    owner = site.owner
    _plant_styles(owner, plants)
    _plant_jobs(owner, plants)
    _plant_plans(owner, plants)
    shared = _plant_albums(owner, plants)
    _plant_names(site, plants)
    _plant_failure(owner, plants)
    _plant_in_files(site.folder / "data", plants)
    _plant_queue(owner, plants)
    return shared


def _plant_styles(owner: httpx.Client, plants: Plants) -> None:
    prompt = plants.all("style, prompt", PLAIN)
    negative = plants.all("style, negative prompt", PLAIN)
    for name in plants.each("style, name"):
        style = {"name": name, "prompt": prompt, "negative_prompt": negative}
        sent(owner, "POST", "/api/v1/styles", **style)


def _plant_jobs(owner: httpx.Client, plants: Plants) -> None:
    """Pictures of prompts that mean nothing."""
    negative = plants.all("negative prompt", PLAIN)
    for prompt in plants.each("prompt", PLAIN):
        sent(owner, "POST", "/api/v1/jobs", prompt=prompt, negative_prompt=negative, **SMALL)
    until(lambda: not sent(owner, "GET", "/api/v1/state")["jobs"], 120)


def _plant_plans(owner: httpx.Client, plants: Plants) -> None:
    """A plot whose values and labels are hostile, and one that fails."""
    values = [text.replace('"', '""') for text in plants.each("value of a plan", PLAIN)]
    axis = {"axis": "prompt_sr", "values": "a word, " + ", ".join(f'"{text}"' for text in values)}
    for prompt in ("a word", f"a word {OUT_OF_MEMORY} {plants.all('prompt of a plan', PLAIN)}"):
        request = {"prompt": prompt, **SMALL}
        sent(owner, "POST", "/api/v1/plans", kind="xyz", request=request, options={"x": axis})
    until(lambda: all(p["is_settled"] for p in sent(owner, "GET", "/api/v1/plans")), 120)


def _plant_failure(owner: httpx.Client, plants: Plants) -> None:
    source = {"image": owner.post("/api/v1/inputs", content=png()).json()["id"]}
    failing = f"{OUT_OF_MEMORY} {plants.all('prompt of a failure', PLAIN)}"
    sent(owner, "POST", "/api/v1/jobs", prompt=failing, source=source, **SMALL)
    until(lambda: not sent(owner, "GET", "/api/v1/state")["jobs"], 120)


def _plant_albums(owner: httpx.Client, plants: Plants) -> str:
    pictures = sent(owner, "GET", "/api/v1/pictures?limit=100")["pictures"]
    path = ""
    for title in plants.each("album, title"):
        wish = {"title": title, "is_for_team": True, "shows_recipes": True}
        album = sent(owner, "POST", "/api/v1/albums", **wish)["id"]
        for picture in pictures if not path else pictures[:1]:
            sent(owner, "PUT", f"/api/v1/albums/{album}/pictures/{picture['id']}")
        path = path or sent(owner, "POST", f"/api/v1/albums/{album}/links", days=1)["path"]
    return path


def _plant_names(site: TeamSite, plants: Plants) -> None:
    """Keys, invitations, webhooks, browsers; and names that are refused."""
    owner = site.owner
    for name in plants.each("key, name", SHORT):
        sent(owner, "POST", "/api/v1/keys", name=name)
    for note in plants.each("invitation, note", SHORT):
        site.invite(note=note)
    for payload in plants.each("webhook, address", IN_NAMES)[:MOST_HOOKS]:
        address = f"http://127.0.0.1:9/?{quote(payload, safe='<>=()')}"
        sent(owner, "POST", "/api/v1/webhooks", address=address)
    browser = {"User-Agent": plants.all("browser of a session", IN_HEADERS)}
    with site.visitor(**browser) as again:
        sent(again, "POST", "/api/v1/session", name=OWNER, password="four words in a row")
        for name in plants.each("name at the door"):
            again.post("/api/v1/session", json={"name": name, "password": "wrong"})


def _plant_in_files(data: Path, plants: Plants) -> None:
    """Why something failed, as an engine or a disk may put it."""
    for name, statement, place in (
        ("jobs", "UPDATE job SET reason = ? WHERE state = 'failed'", "job, reason"),
        ("plans", "UPDATE cell SET reason = ? WHERE state = 'failed'", "plan, reason"),
        ("plans", "UPDATE plan SET state = 'paused', is_settled = 0 WHERE ? > ''", "plan, reason"),
    ):
        with closing(sqlite3.connect(data / f"{name}.sqlite")) as rows, rows:
            assert rows.execute(statement, [plants.all(place)]).rowcount > 0


def _plant_queue(owner: httpx.Client, plants: Plants) -> None:
    """Jobs that wait while the page is looked at."""
    sent(owner, "PATCH", "/api/v1/queue", is_paused=True)
    for prompt in plants.each("prompt that waits", PLAIN):
        sent(owner, "POST", "/api/v1/jobs", prompt=prompt, **SMALL)
