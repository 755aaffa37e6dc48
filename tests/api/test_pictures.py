"""Pictures over HTTP: listed, shown, made again, thrown away; and never anything but pictures."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.api.conftest import Client, error_of
from tests.api.test_jobs import PICTURE_FIELDS
from tests.conftest import finished
from webui.core.job import JobId, PersonId
from webui.core.request import GenerationRequest

SECRET = b"planted secret"


def path_of(client: Client, id: str) -> Path:
    return client.studio.gallery.get(id).path


def test_pictures_are_listed_newest_first_page_by_page(client: Client) -> None:
    made = [client.make()["pictures"][0]["id"] for _ in range(5)][::-1]
    first = client.json("/api/v1/pictures?limit=2")
    second = client.json(f"/api/v1/pictures?limit=2&before={first['next']}")
    third = client.json(f"/api/v1/pictures?limit=2&before={second['next']}")
    pages = (first, second, third)
    assert [[p["id"] for p in page["pictures"]] for page in pages] == [
        made[:2],
        made[2:4],
        made[4:],
    ]
    assert third["next"] is None
    assert set(first["pictures"][0]) == PICTURE_FIELDS
    assert client.json("/api/v1/pictures?limit=5")["next"] is None


def test_pictures_are_found_by_tab_and_words(client: Client) -> None:
    apple = client.make(prompt="a red apple")["pictures"][0]["id"]
    client.make(prompt="a blue boat")
    found = client.json("/api/v1/pictures?search=apple%20red&mode=txt2img")["pictures"]
    assert [picture["id"] for picture in found] == [apple]
    assert client.json("/api/v1/pictures?mode=inpaint")["pictures"] == []


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_a_picture_that_comes_out_the_same_is_told_identical(client: Client, format: str) -> None:
    client.studio.settings.update({"picture_format": format})
    picture = client.make(prompt="a red apple")["pictures"][0]
    job = client.post(f"/api/v1/pictures/{picture['id']}/verify")
    finished(client.studio, JobId(job["id"]))
    told = client.json(f"/api/v1/jobs/{job['id']}")
    assert (told["verifies"], told["state"]) == (picture["id"], "done")
    assert told["reason"] == "Identical: every pixel is the same."
    assert told["pictures"] == []


def test_a_picture_that_was_painted_over_is_told_different(client: Client) -> None:
    picture = client.make(prompt="a red apple")["pictures"][0]
    path = path_of(client, picture["id"])
    with Image.open(path) as image:
        pixels = image.convert("RGB")
    black = Image.new("RGB", (pixels.width, pixels.height // 2))
    pixels.paste(black, (0, 0))
    pixels.save(path)
    job = client.post(f"/api/v1/pictures/{picture['id']}/verify")
    finished(client.studio, JobId(job["id"]))
    reason = client.json(f"/api/v1/jobs/{job['id']}")["reason"]
    assert reason.startswith("Differs by ")
    assert " of 255 on average and " in reason


def test_a_picture_carries_its_record(client: Client) -> None:
    made = client.make(prompt="a red apple", seed=5)["pictures"][0]
    detail = client.json(f"/api/v1/pictures/{made['id']}")
    assert {name: detail[name] for name in made} == made
    assert detail["recipe"]["seed"] == 5
    assert detail["recipe"]["model"]["id"] == "starter"
    assert detail["infotext"].startswith("a red apple\nSteps: 20, ")
    assert detail["is_trashed"] is False


def test_a_picture_says_how_to_ask_for_one_like_it(client: Client) -> None:
    asked = {"sampling": {"sampler": "heun", "steps": 3}, "tiling": "both", "seed": 5}
    made = client.make(prompt="a red apple", **asked)["pictures"][0]
    detail = client.json(f"/api/v1/pictures/{made['id']}")
    (other,) = client.make(**{**detail["request"], "seed": 6})["pictures"]
    recipe = client.json(f"/api/v1/pictures/{other['id']}")["recipe"]
    assert recipe == detail["recipe"] | {"seed": 6}


def test_a_picture_made_again_has_the_same_pixels(client: Client) -> None:
    picture = client.make(prompt="a red apple")["pictures"][0]
    again = client.post(f"/api/v1/pictures/{picture['id']}/again")
    finished(client.studio, JobId(again["id"]))
    copy = client.json(f"/api/v1/jobs/{again['id']}")["pictures"][0]
    assert copy["id"] != picture["id"]
    assert pixels(client, copy["url"]) == pixels(client, picture["url"])


def pixels(client: Client, url: str) -> bytes:
    with Image.open(io.BytesIO(client.get(url).body)) as image:
        return image.tobytes()


def test_a_picture_goes_to_the_trash_and_back(client: Client) -> None:
    picture = client.make()["pictures"][0]
    address = f"/api/v1/pictures/{picture['id']}"
    assert client.site.ask("DELETE", address).status == 200
    assert client.json("/api/v1/pictures")["pictures"] == []
    assert [p["id"] for p in client.json("/api/v1/pictures?trashed=1")["pictures"]] == [
        picture["id"]
    ]
    assert client.json(address)["is_trashed"] is True
    assert client.post(f"{address}/restore", status=200) == picture
    assert client.json("/api/v1/pictures")["pictures"] == [picture]


def test_a_picture_of_the_trash_is_deleted_for_good(client: Client) -> None:
    pictures = client.make(batch_count=2)["pictures"] + client.make()["pictures"]
    first, *others = [picture["id"] for picture in pictures]
    assert error_of(client.site.ask("DELETE", f"/api/v1/trash/{first}"))[0] == 422
    for id in (first, others[0]):
        client.site.ask("DELETE", f"/api/v1/pictures/{id}")
    assert client.site.ask("DELETE", f"/api/v1/trash/{first}").status == 204
    assert client.get(f"/api/v1/pictures/{first}").status == 404
    emptied = client.site.ask("DELETE", "/api/v1/trash")
    assert json.loads(emptied.body) == {"deleted": 1}
    assert client.json("/api/v1/pictures?trashed=1")["pictures"] == []
    assert [p["id"] for p in client.json("/api/v1/pictures")["pictures"]] == [others[1]]


def test_the_file_is_served_for_the_browser_to_keep(client: Client) -> None:
    picture = client.make()["pictures"][0]
    answer = client.get(picture["url"])
    assert answer.body == path_of(client, picture["id"]).read_bytes()
    assert answer.one("content-type") == "image/png"
    assert answer.one("cache-control") == "private, max-age=31536000, immutable"
    assert "sandbox" in answer.one("content-security-policy")
    assert answer.one("x-content-type-options") == "nosniff"
    again = client.get(picture["url"], ("If-None-Match", answer.one("etag")))
    assert (again.status, again.body) == (304, b"")
    assert client.get(picture["url"], ("If-None-Match", '"other"')).status == 200


def test_a_download_has_the_name_of_the_file(client: Client) -> None:
    picture = client.make(seed=11)["pictures"][0]
    answer = client.get(f"{picture['url']}?download=1")
    assert answer.one("content-disposition") == 'attachment; filename="00000-11.png"'


def test_a_thumbnail_is_small(client: Client) -> None:
    picture = client.make(width=1024, height=512)["pictures"][0]
    answer = client.get(picture["thumbnail"])
    assert answer.one("content-type") == "image/webp"
    with Image.open(io.BytesIO(answer.body)) as image:
        assert max(image.size) < 1024
        assert image.width == 2 * image.height
    assert client.get(picture["thumbnail"], ("If-None-Match", answer.one("etag"))).status == 304


@pytest.mark.parametrize("suffix", ["jpeg", "webp"])
def test_other_formats_are_told_as_what_they_are(client: Client, suffix: str) -> None:
    client.studio.settings.update({"picture_format": suffix})
    picture = client.make()["pictures"][0]
    assert client.get(picture["url"]).one("content-type") == f"image/{suffix}"


@pytest.mark.parametrize(
    "content",
    [b"<script>alert(1)</script>", b"<svg onload='alert(1)'/>", b"%PDF-1.7", b"GIF89a", b""],
)
def test_a_file_that_was_exchanged_is_still_told_as_a_picture(
    client: Client, content: bytes
) -> None:
    picture = client.make()["pictures"][0]
    path_of(client, picture["id"]).write_bytes(content)
    answer = client.get(picture["url"])
    assert (answer.status, answer.body) == (200, content)
    assert answer.one("content-type") == "image/png"
    assert answer.one("x-content-type-options") == "nosniff"
    assert "script-src" not in answer.one("content-security-policy")
    assert "sandbox" in answer.one("content-security-policy")


@pytest.mark.skipif(os.name == "nt", reason="links there need special rights; no such pipes")
def test_a_link_out_of_the_folder_is_not_followed(client: Client, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(SECRET)
    picture = client.make()["pictures"][0]
    path = path_of(client, picture["id"])
    path.unlink()
    path.symlink_to(outside)
    assert error_of(client.get(picture["url"]))[0] == 404
    path.unlink()
    os.mkfifo(path)
    assert error_of(client.get(picture["url"]))[0] == 404


def test_a_file_that_was_deleted_by_hand_is_not_found(client: Client) -> None:
    picture = client.make()["pictures"][0]
    path_of(client, picture["id"]).unlink()
    assert error_of(client.get(picture["url"]))[0] == 404


def test_somebody_elses_picture_is_not_there(client: Client) -> None:
    theirs = client.studio.submit(GenerationRequest(prompt="secret"), PersonId("other"))
    finished(client.studio, theirs.id)
    (picture,) = client.studio.gallery.of_job(theirs.id)
    for method, path in (
        ("GET", f"/pictures/{picture.id}"),
        ("GET", f"/pictures/{picture.id}/thumbnail"),
        ("GET", f"/api/v1/pictures/{picture.id}"),
        ("POST", f"/api/v1/pictures/{picture.id}/again"),
        ("POST", f"/api/v1/pictures/{picture.id}/restore"),
        ("DELETE", f"/api/v1/pictures/{picture.id}"),
    ):
        assert error_of(client.site.ask(method, path))[0] == 404
    assert client.json("/api/v1/pictures")["pictures"] == []
    assert client.studio.gallery.get(picture.id).is_trashed is False


PIECES = st.sampled_from(
    ["..", ".", "", "~", "...", "%2e%2e", "%2E.", "..%00", "%c0%ae%c0%ae", "..;", "C:", "c$",
     "NUL", "con.png", "file:", "localhost", "127.0.0.1", "etc", "passwd", "outside.png", "data",
     "gallery.sqlite", "settings.json", "outputs", "models", "thumbnails", "proc", "self"]
)  # fmt: skip
JOINTS = st.sampled_from(["/", "//", "%2f", "%252f", "\\", "%5c", "%u2215", "%00", "?"])
ROUTES = st.sampled_from(
    ["/pictures/{}", "/pictures/{}/thumbnail", "/api/v1/pictures/{}", "/api/v1/inputs/{}",
     "/api/v1/jobs/{}", "/api/v1/jobs/{}/preview", "/assets/{}", "/{}"]
)  # fmt: skip


@st.composite
def hostile_paths(draw: st.DrawFn) -> str:
    """What people have tried in place of a file's name, put together anew."""
    pieces = draw(st.lists(PIECES, min_size=1, max_size=6))
    path = draw(JOINTS).join(pieces) if draw(st.booleans()) else "/" + draw(JOINTS).join(pieces)
    return draw(ROUTES).format(path)


@pytest.fixture(scope="session")
def guarded_client(empty_client: Client) -> Client:
    """Its data folder and the folder above hold files that nobody must get."""
    data = empty_client.studio.settings.current.data
    for folder in (data, data.parent, data.parent.parent):
        for name in ("outside.png", "passwd", "settings.json"):
            (folder / name).write_bytes(SECRET)
    return empty_client


@settings(max_examples=300, deadline=None)
@given(path=hostile_paths())
@example(path="/pictures/../../data/settings.json")
@example(path="/pictures/..%2f..%2fdata%2fsettings.json")
@example(path="/assets/../../../README.md")
@example(path="/assets/%2e%2e/build.py")
@example(path="/api/v1/inputs//etc/passwd")
def test_no_path_reaches_a_file(guarded_client: Client, path: str) -> None:
    answer = guarded_client.get(path)
    assert answer.status in (400, 404, 405), answer.body
    assert SECRET not in answer.body
    assert b"root:" not in answer.body


@settings(max_examples=100, deadline=None)
@given(id=st.text(min_size=1, max_size=80))
@example(id="0" * 64)
@example(id="../" * 20 + "etc/passwd")
def test_no_id_reaches_a_file(guarded_client: Client, id: str) -> None:
    escaped = quote(id, safe="", errors="replace")
    for route in ("/pictures/{}", "/api/v1/inputs/{}", "/api/v1/jobs/{}", "/pictures/{}/thumbnail"):
        answer = guarded_client.get(route.format(escaped))
        assert answer.status in (400, 404), answer.body
