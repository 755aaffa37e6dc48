"""Which addresses are asked, and what is said to them."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.downloads.conftest import Place
from tests.downloads.source import Source, lora, sha256
from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.downloads.address import UrlRef, read_address
from webui.downloads.download import DownloadState, Wish
from webui.downloads.names import name_in_answer, name_in_repository, safe_name
from webui.net.faults import FetchRefused
from webui.net.guard import Guard, is_public

SECRET = "hf_verysecret123"
PRIVATE = (  # noqa: SIM905
    "127.0.0.1 127.8.9.1 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 "
    "100.100.100.200 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 "
    "fe80::1%eth0 fc00::1 fd00:ec2::254 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 "
    "2002:7f00:1:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 ff02::1"
).split()


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_by_whatever_name(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(FetchRefused, match="private network"):
        Guard(resolve=lambda *_: [address]).target("https://models.example/a.safetensors")


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_asked(address: str) -> None:
    target = Guard(resolve=lambda *_: [address]).target("https://models.example/ä?c=d#e")
    assert (target.addresses, target.path) == ((address,), "/%C3%A4?c=d")


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(FetchRefused):
        Guard(resolve=lambda *_: ["1.1.1.1", "127.0.0.1"]).target("https://models.example/")


def test_a_name_that_answers_differently_the_second_time_is_not_asked_again() -> None:
    answers = iter([["1.1.1.1"], ["127.0.0.1"]])
    target = Guard(resolve=lambda *_: next(answers)).target("https://models.example/")
    assert target.addresses == ("1.1.1.1",)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/a",
        "ftp://models.example/a",
        "file:///etc/passwd",
        "https://",
        "https://me:secret@models.example/a",
        "https://models.example:99999/a",
        "https://models.example/a\r\nHost: b",
        "https://models.example/" + "a" * 9000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(FetchRefused):
        Guard(resolve=lambda *_: ["1.1.1.1"]).target(url)


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:9/a.safetensors",
        "https://127.0.0.1/a.safetensors",
        "https://[::1]/a.safetensors",
        "https://2130706433/a.safetensors",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ],
)
def test_redirects_to_private_addresses_are_refused(place: Place, source: Source, to: str) -> None:
    with pytest.raises(InvalidRequest):
        place.fetch(source.redirect("/a.safetensors", to))


def test_redirects_end(place: Place, source: Source) -> None:
    with pytest.raises(InvalidRequest, match="sends on more than"):
        place.fetch(source.redirect("/a.safetensors", "/a.safetensors"))
    assert len(source.asked) == 6


def test_a_redirect_after_the_look_up_is_checked_too(
    place: Place, source: Source, other: Source
) -> None:
    data = lora(place.root)
    url = source.redirect("/a.safetensors", other.put("/ink", data, cuts=[3000, 0, 0, 0]))
    paused = place.fetch(url)
    assert paused.state is DownloadState.PAUSED
    source.redirect("/a.safetensors", "https://10.0.0.1/ink")
    place.downloads.resume(paused.id)
    assert "private network" in place.state(paused.id, DownloadState.FAILED).note


def offer_gated(place: Place, source: Source, other: Source) -> bytes:
    """A repository whose files lie behind a token, on another host than its list."""
    data = lora(place.root)
    entry = {"rfilename": "ink.safetensors", "size": 130, "lfs": {
        "sha256": sha256(data), "size": len(data)}}  # fmt: skip
    source.put_json(
        "/api/models/mia/ink/revision/main?blobs=true",
        {"sha": "c0ffee", "gated": "auto", "cardData": {"license": "mit"}, "siblings": [entry]},
    )
    cdn = other.put("/cdn/ink", data)
    source.redirect("/mia/ink/resolve/c0ffee/ink.safetensors", cdn)
    for path in list(source.files):
        source.files[path].token = SECRET
    return data


def test_a_token_goes_to_its_host_and_nowhere_else(
    place: Place, source: Source, other: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    offer_gated(place, source, other)
    with pytest.raises(InvalidRequest, match=r"wants to know who asks for this \(401\)"):
        place.downloads.look_up("mia/ink")
    place.downloads.tokens.put(place.downloads.token_origin("hugging_face"), SECRET)
    done = place.fetch("mia/ink")
    assert done.state is DownloadState.DONE
    assert source.asked[-1][1]["Authorization"] == f"Bearer {SECRET}"
    assert other.asked
    assert not [headers for _, headers in other.asked if "Authorization" in headers]
    assert SECRET not in caplog.text
    kept = [path for path in place.root.rglob("*") if path.is_file()]
    assert [p.name for p in kept if SECRET.encode() in p.read_bytes()] == ["tokens.json"]


@pytest.mark.skipif(os.name == "nt", reason="files have other rights there")
def test_the_file_of_tokens_is_its_owners_alone(place: Place) -> None:
    place.downloads.tokens.put("https://huggingface.co:443", SECRET)
    path = place.root / "data" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    place.downloads.tokens.put("https://huggingface.co:443", "")
    assert json.loads(path.read_text("utf-8")) == {}


@pytest.mark.parametrize("token", ["2short", "with blank in it", "line\nbreak", "ä" * 20])
def test_what_is_no_token_is_refused_and_not_repeated(place: Place, token: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        place.downloads.tokens.put("https://huggingface.co:443", token)
    assert token not in str(refused.value)


def test_addresses_with_secrets_are_refused(place: Place, source: Source) -> None:
    with pytest.raises(InvalidRequest, match="has a secret in it"):
        place.fetch(source.url(f"/a.safetensors?token={SECRET}"))
    assert source.asked == []


def test_a_repository_is_told_and_fetched(place: Place, source: Source, other: Source) -> None:
    data = offer_gated(place, source, other)
    place.downloads.tokens.put(place.downloads.token_origin("hugging_face"), SECRET)
    offer = place.downloads.look_up("mia/ink")
    assert (offer.title, offer.licence, offer.is_gated) == ("mia/ink", "mit", True)
    (file,) = offer.files
    assert (file.kind, file.sha256, file.size_bytes) == (ModelKind.LORA, sha256(data), len(data))
    assert place.fetch("mia/ink/ink.safetensors").state is DownloadState.DONE
    with pytest.raises(InvalidRequest, match=r"has no file “no\.safetensors”"):
        place.downloads.look_up("mia/ink/no.safetensors")


def test_one_of_several_files_is_chosen(place: Place, source: Source) -> None:
    siblings = [
        {"rfilename": name} for name in ("README.md", "a.safetensors", "vae/model.fp16.sft")
    ]
    source.put_json("/api/models/mia/two/revision/main?blobs=true", {"siblings": siblings})
    source.put("/mia/two/resolve/main/a.safetensors", lora(place.root))
    names = [(file.path, file.name) for file in place.downloads.look_up("mia/two").files]
    assert names == [
        ("a.safetensors", "a.safetensors"),
        ("vae/model.fp16.sft", "two-vae-fp16.sft"),
    ]
    with pytest.raises(InvalidRequest, match="Choose one of them"):
        place.fetch("mia/two")
    assert place.fetch("mia/two", file="a.safetensors").state is DownloadState.DONE


def test_a_model_of_civitai_is_told_and_fetched(place: Place, other: Source) -> None:
    data = lora(place.root)
    path = "/api/download/models/9"
    url = other.put(path, data, token=SECRET)
    files = [
        {"name": "dir/ink.safetensors", "type": "Model", "sizeKB": len(data) / 1024,
         "hashes": {"SHA256": sha256(data).upper()}, "downloadUrl": f"{other.service}{path}"},
        {"name": "pictures.zip", "type": "Training Data", "downloadUrl": url},
    ]  # fmt: skip
    version = {"id": 9, "name": "v2", "baseModel": "SD 1.5", "files": files}
    other.put_json(
        "/api/v1/models/7",
        {
            "name": "Ink",
            "type": "LORA",
            "allowCommercialUse": ["Image"],
            "modelVersions": [version],
        },
    )
    place.downloads.tokens.put(place.downloads.token_origin("civitai"), SECRET)
    offer = place.downloads.look_up("7")
    assert (offer.title, offer.made_for) == ("Ink · v2", "SD 1.5")
    assert offer.licence == "commercial use: Image"
    assert [file.name for file in offer.files] == ["ink.safetensors"]
    done = place.fetch("civitai:7")
    assert (done.state, done.path) == (
        DownloadState.DONE,
        str(place.models / "Lora/ink.safetensors"),
    )


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b"null", b"[" * 100_000])
def test_nonsense_from_a_service_is_no_crash(place: Place, other: Source, answer: bytes) -> None:
    other.put("/api/v1/models/7", answer)
    with pytest.raises(InvalidRequest):
        place.downloads.look_up("7")


WRONG = ({"siblings": 7, "tags": 5}, {"siblings": [{"rfilename": 9, "lfs": []}, 4], "sha": {}},
         {"siblings": [{"rfilename": "\ud800.safetensors", "lfs": {"size": -1, "sha256": 8}}],
          "cardData": [], "tags": [{}]})  # fmt: skip


@pytest.mark.parametrize("answer", WRONG)
def test_other_types_than_expected_are_no_crash(
    place: Place, source: Source, answer: object
) -> None:
    source.put_json("/api/models/mia/ink/revision/main?blobs=true", answer)
    with pytest.raises(InvalidRequest):
        place.downloads.look_up("mia/ink")


@given(text=st.text(max_size=60) | st.from_regex(r"https?://[^ ]{0,50}", fullmatch=True))
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    with suppress(FetchRefused):
        ref = read_address(text, "https://huggingface.co", "https://civitai.com")
        if isinstance(ref, UrlRef):
            Guard(resolve=lambda *_: ["1.1.1.1"]).target(ref.url)


def test_the_connection_goes_to_the_address_that_was_checked(
    new_place: Callable[..., Place], source: Source, tmp_path: Path
) -> None:
    """No name server knows this host."""
    host = f"models.example:{source.port}"
    place = new_place(allowed_hosts=[host], resolve=lambda *_: ["127.0.0.1"])
    source.put("/ink.safetensors", lora(tmp_path))
    assert place.fetch(f"http://{host}/ink.safetensors").state is DownloadState.DONE
    assert source.asked[-1][1]["Host"] == host


@pytest.mark.parametrize("text", ["", "ink", "a/b/../c", "-", "?", "civitai:x", "../../etc/passwd"])
def test_what_names_no_model_is_refused(place: Place, source: Source, text: str) -> None:
    with pytest.raises(InvalidRequest):
        place.downloads.add(Wish(address=text))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.safetensors", "evil.safetensors"),
        ("C:\\con.safetensors", "_con.safetensors"),
        ("nul", "_nul"),
        ("com1.v2.pt", "_com1.v2.pt"),
        (".hidden.safetensors", "hidden.safetensors"),
        ("a:b*c?.safetensors", "a_b_c_.safetensors"),
        ("a\u202egnp.safetensors", "a_gnp.safetensors"),
        ("...", "model"),
        ("x .safetensors", "x.safetensors"),
        ("é" * 200 + ".ckpt", "é" * 90 + ".ckpt"),
    ],
)
def test_names_are_made_harmless(said: str, name: str) -> None:
    assert safe_name(said) == name


def test_names_come_from_headers_addresses_and_repositories() -> None:
    assert name_in_answer('attachment; filename="a.pt"', "/download?x=1") == "a.pt"
    told = "attachment; filename=\"b.pt\"; filename*=UTF-8''%C3%A4.pt"
    assert name_in_answer(told, "/") == "ä.pt"
    assert name_in_answer("", "/files/my%20ink.safetensors?x=1") == "my ink.safetensors"
    assert name_in_repository("mia/ink", "model.safetensors") == "ink.safetensors"
