"""Uploads: three formats whatever they claim to be, limits before decoding, nothing else kept."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from tests.api.conftest import Client, error_of
from tests.conftest import png
from tests.gate.site import Answer
from webui.gate.access import UPLOAD_BYTES


def picture(kind: str, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **options)
    return buffer.getvalue()


def put(client: Client, data: bytes, kind: str = "image/png") -> Answer:
    return client.site.ask("POST", "/api/v1/inputs", [("Content-Type", kind)], data)


@pytest.mark.parametrize(("kind", "served"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")])
def test_a_picture_is_kept_and_served_as_it_came(client: Client, kind: str, served: str) -> None:
    data = picture(kind)
    answer = put(client, data)
    assert answer.status == 201
    kept = json.loads(answer.body)
    assert (kept["width"], kept["height"], len(kept["id"])) == (40, 30, 64)
    shown = client.get(f"/api/v1/inputs/{kept['id']}")
    assert shown.body == data
    assert shown.one("content-type") == f"image/{served}"
    assert "immutable" in shown.one("cache-control")
    assert put(client, data).body == answer.body


@pytest.mark.parametrize(
    "claim",
    ["text/html", "image/svg+xml", "application/json", "text/plain; charset=x", "a/b/c", "", "*/*"],
)
def test_what_an_upload_claims_to_be_does_not_count(client: Client, claim: str) -> None:
    kept = json.loads(put(client, picture("PNG"), claim).body)
    assert client.get(f"/api/v1/inputs/{kept['id']}").one("content-type") == "image/png"


def huge_png(side: int) -> bytes:
    """A PNG of a few bytes that says it is very large."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        picture("ICO"),
        picture("PNG")[:60],
        picture("JPEG")[:200],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        huge_png(100_000),
        huge_png(9_000),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"PK\x03\x04",
        b"\0" * 1000,
    ],
    ids=lambda data: repr(data[:12]),
)
@pytest.mark.parametrize("path", ["/api/v1/inputs", "/api/v1/read-picture"])
def test_what_is_no_picture_is_refused(empty_client: Client, path: str, data: bytes) -> None:
    answer = empty_client.site.ask("POST", path, [("Content-Type", "image/png")], data)
    status, _, message = error_of(answer)
    assert status == 415
    assert message.endswith(".")


def test_a_form_is_no_picture(empty_client: Client) -> None:
    form = b'--edge\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + png() + b"\r\n--edge--"
    answer = put(empty_client, form, "multipart/form-data; boundary=edge")
    assert error_of(answer)[0] == 415


def test_an_upload_over_the_limit_is_refused(empty_client: Client) -> None:
    headers = [("Content-Length", str(UPLOAD_BYTES + 1))]
    answer = empty_client.site.ask("POST", "/api/v1/inputs", headers)
    status, _, message = error_of(answer)
    assert (status, "64 MB" in message) == (413, True)


def test_the_size_is_that_of_the_upright_picture(client: Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    kept = json.loads(put(client, picture("JPEG", exif=exif)).body)
    assert (kept["width"], kept["height"]) == (30, 40)


def test_an_uploaded_picture_can_be_the_source_of_a_job(client: Client) -> None:
    kept = json.loads(put(client, png(128, 192)).body)
    job = client.make(prompt="x", source={"image": kept["id"], "denoising_strength": 0.5})
    assert (job["mode"], job["state"]) == ("img2img", "done")
    assert (job["width"], job["height"]) == (128, 192)


def test_one_of_our_pictures_says_how_it_was_made(client: Client) -> None:
    made = client.make(prompt="a red apple", seed=3, sampling={"steps": 7})["pictures"][0]
    file = client.get(made["url"]).body
    answer = client.site.ask("POST", "/api/v1/read-picture", body=file)
    read = json.loads(answer.body)
    assert (read["request"]["prompt"], read["request"]["seed"]) == ("a red apple", 3)
    assert read["request"]["sampling"]["steps"] == 7
    assert read["infotext"].startswith("a red apple\nSteps: 7, ")
    assert client.make(**read["request"])["state"] == "done"


def test_a_picture_that_says_nothing_is_told_so(empty_client: Client) -> None:
    answer = empty_client.site.ask("POST", "/api/v1/read-picture", body=png())
    status, _, message = error_of(answer)
    assert status == 415
    assert "does not say how it was made" in message


def test_uploads_that_nothing_needs_are_deleted_on_demand(client: Client) -> None:
    ids = [json.loads(put(client, png(colour=colour)).body)["id"] for colour in ("red", "blue")]
    old = client.studio.inputs.path(ids[0])
    os.utime(old, (1_600_000_000, 1_600_000_000))
    told = {"count": 1, "bytes": old.stat().st_size}
    assert client.json("/api/v1/unused-inputs") == told
    assert json.loads(client.site.ask("DELETE", "/api/v1/unused-inputs").body) == told
    assert [client.get(f"/api/v1/inputs/{id}").status for id in ids] == [404, 200]
