"""Sharing on purpose: what an album and a link show, to whom, and what they keep back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from tests.api.people import Visitor, gate_of_people
from tests.conftest import finished, make_studio
from tests.gate.site import Answer, Site, serving
from webui.api.build import build_api
from webui.core.job import JobId
from webui.studio import Studio

SECRET = "secretively"
ALBUMS = "/api/v1/albums"


@dataclass(frozen=True, kw_only=True)
class Team:
    """Ann has one picture; Ben is another artist, Vic a viewer, `site` is asked by strangers."""

    studio: Studio
    site: Site
    ann: Visitor
    ben: Visitor
    vic: Visitor
    picture: str

    def album(self, **wish: object) -> str:
        """A new album of Ann's with her picture in it."""
        id = self.ann.post(ALBUMS, {"title": "Cats", **wish}, 201)["id"]
        assert self.ann.ask("PUT", f"{ALBUMS}/{id}/pictures/{self.picture}").status == 204
        return str(id)

    def link(self, album: str, **wish: object) -> Any:
        return self.ann.post(f"{ALBUMS}/{album}/links", wish, 201)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    studio = make_studio(tmp_path_factory.mktemp("team"))
    studio.start()
    with serving(gate_of_people(build_api(studio, None))) as site:
        ann, ben, vic = (Visitor(site=site, name=name) for name in ("ann", "ben", "vic"))
        job = ann.post("/api/v1/jobs", {"prompt": SECRET, "sampling": {"steps": 1}})["id"]
        finished(studio, JobId(job))
        (picture,) = ann.get(f"/api/v1/jobs/{job}")["pictures"]
        yield Team(studio=studio, site=site, ann=ann, ben=ben, vic=vic, picture=picture["id"])
    studio.close()


def pixels(answer: Answer) -> bytes:
    assert answer.status == 200, answer.body
    return Image.open(io.BytesIO(answer.body)).convert("RGB").tobytes()


def test_an_album_is_private_until_it_is_for_the_team(team: Team) -> None:
    id = team.album()
    for visitor in (team.ben, team.vic):
        assert visitor.ask("GET", f"{ALBUMS}/{id}").status == 404
        assert id not in {album["id"] for album in visitor.get(ALBUMS)}
    shown = {"title": "Cats", "is_for_team": True}
    assert team.ann.ask("PUT", f"{ALBUMS}/{id}", shown).status == 200
    for visitor in (team.ben, team.vic):
        page = visitor.get(f"{ALBUMS}/{id}")
        assert [picture["id"] for picture in page["pictures"]] == [team.picture]
        assert page["album"]["is_mine"] is False


def test_a_shared_picture_keeps_its_recipe_back(team: Team) -> None:
    id = team.album(is_for_team=True)
    (shown,) = team.ben.get(f"{ALBUMS}/{id}")["pictures"]
    assert shown["prompt"] == ""
    theirs, hers = (
        team.ben.ask("GET", shown["url"]),
        team.ann.ask("GET", f"/pictures/{team.picture}"),
    )
    assert SECRET.encode() not in theirs.body
    assert SECRET.encode() in hers.body
    assert pixels(theirs) == pixels(hers)
    assert SECRET.encode() not in team.ben.ask("GET", shown["thumbnail"]).body


def test_an_album_may_show_its_recipes(team: Team) -> None:
    id = team.album(is_for_team=True, shows_recipes=True)
    (shown,) = team.ben.get(f"{ALBUMS}/{id}")["pictures"]
    assert shown["prompt"] == SECRET
    assert (
        team.ben.ask("GET", shown["url"]).body
        == team.ann.ask("GET", f"/pictures/{team.picture}").body
    )


def test_a_link_shows_the_album_to_strangers_and_nothing_else(team: Team) -> None:
    id = team.album()
    link = team.link(id, days=1)
    page = team.site.get(link["path"])
    assert (page.status, SECRET.encode() in page.body) == (200, False)
    album = json.loads(team.site.get(f"{link['path']}/album").body)
    (shown,) = album["pictures"]
    assert album["album"]["title"] == "Cats"
    assert pixels(team.site.get(shown["url"]))
    assert team.site.get(shown["thumbnail"]).one("content-type") == "image/webp"
    others = team.ann.post("/api/v1/jobs", {"prompt": "not in it", "sampling": {"steps": 1}})["id"]
    finished(team.studio, JobId(others))
    (other,) = team.ann.get(f"/api/v1/jobs/{others}")["pictures"]
    assert team.site.get(f"{link['path']}/pictures/{other['id']}").status == 404
    for path in (f"/pictures/{team.picture}", f"{ALBUMS}/{id}", f"{ALBUMS}/{id}/links"):
        assert team.site.get(path).status in (303, 401), path  # 303 asks a browser to sign in


def test_a_link_that_was_taken_back_shows_nothing(team: Team) -> None:
    id = team.album()
    link = team.link(id)
    assert [one["id"] for one in team.ann.get(f"{ALBUMS}/{id}/links")] == [link["id"]]
    assert team.ann.ask("DELETE", f"{ALBUMS}/{id}/links/{link['id']}").status == 204
    gone, never = (
        team.site.get(f"/shared/{token}/album") for token in (link["path"][8:], "x" * 43)
    )
    assert (gone.status, gone.body) == (never.status, never.body)
    assert gone.status == 404
    assert team.site.get(f"{link['path']}/pictures/{team.picture}").status == 404


def test_nobody_shares_or_changes_what_is_somebody_elses(team: Team) -> None:
    hers = team.album(is_for_team=True)
    his = team.ben.post(ALBUMS, {"title": "Dogs"}, 201)["id"]
    refused = [
        ("PUT", f"{ALBUMS}/{his}/pictures/{team.picture}", None),
        ("PUT", f"{ALBUMS}/{hers}", {"title": "Mine now"}),
        ("DELETE", f"{ALBUMS}/{hers}", None),
        ("DELETE", f"{ALBUMS}/{hers}/pictures/{team.picture}", None),
        ("POST", f"{ALBUMS}/{hers}/links", {}),
        ("GET", f"{ALBUMS}/{hers}/links", None),
    ]
    for method, path, body in refused:
        assert team.ben.ask(method, path, body).status == 404, (method, path)
    assert team.vic.ask("POST", ALBUMS, {"title": "x"}).status == 403


def test_a_picture_in_the_trash_is_shown_no_more(team: Team) -> None:
    job = team.ann.post("/api/v1/jobs", {"prompt": "short-lived", "sampling": {"steps": 1}})["id"]
    finished(team.studio, JobId(job))
    (made,) = team.ann.get(f"/api/v1/jobs/{job}")["pictures"]
    id = team.album(is_for_team=True)
    team.ann.ask("PUT", f"{ALBUMS}/{id}/pictures/{made['id']}")
    assert len(team.ben.get(f"{ALBUMS}/{id}")["pictures"]) == 2
    team.ann.ask("DELETE", f"/api/v1/pictures/{made['id']}")
    assert [x["id"] for x in team.ben.get(f"{ALBUMS}/{id}")["pictures"]] == [team.picture]
    assert team.ben.ask("GET", f"{ALBUMS}/{id}/pictures/{made['id']}").status == 404
