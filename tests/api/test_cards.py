"""Cards through the API: pages, pictures, and notes in A1111's files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from tests.api.conftest import Client, error_of
from tests.catalog.test_cards import network, noted
from tests.conftest import png

CARDS = "/api/v1/cards"
JSON = ("Content-Type", "application/json")
HARD_NAME = "50% #1 ä?"


@pytest.fixture
def models(client: Client) -> Path:
    """A models folder with two LoRAs, one of them with a name that is hard to put in an address."""
    folder = client.studio.catalog.folder
    hard = network(folder / "Lora" / f"{HARD_NAME}.safetensors")
    noted(hard, **{"activation text": "hard", "modelId": 7})
    network(folder / "Lora" / "owl.safetensors", "sdxl")
    client.studio.catalog.refresh()
    return folder


def address(name: str) -> str:
    return f"{CARDS}/{quote(f'Lora/{name}.safetensors')}"


def put(client: Client, name: str, edit: object) -> Any:
    return client.site.ask("PUT", address(name), [JSON], json.dumps(edit).encode())


def test_a_page_of_cards(client: Client, models: Path) -> None:
    page = client.json(f"{CARDS}?search=hard&checkpoint=starter")
    folders = [{"path": path, "count": 1} for path in ("", "Lora")]
    assert (page["total"], page["folders"]) == (1, folders)
    (card,) = page["cards"]
    assert card["id"] == f"Lora/{HARD_NAME}.safetensors"
    assert (card["prompt_name"], card["activation_text"]) == (HARD_NAME, "hard")
    assert (card["has_preview"], card["preview"], card["mismatch"]) == (False, None, "")
    assert str(models) not in json.dumps(page)
    assert client.json(f"{CARDS}?kind=checkpoint")["cards"][0]["is_editable"] is False


def test_notes_are_changed_one_by_one_and_others_stay(client: Client, models: Path) -> None:
    answer = put(client, HARD_NAME, {"preferred_weight": 0.6, "notes": "soft"})
    card = json.loads(answer.body)
    assert (answer.status, card["preferred_weight"], card["activation_text"]) == (200, 0.6, "hard")
    assert json.loads((models / "Lora" / f"{HARD_NAME}.json").read_text("utf-8")) == {
        "activation text": "hard",
        "modelId": 7,
        "preferred weight": 0.6,
        "notes": "soft",
    }


def test_a_family_that_is_noted_tells_at_once_what_fits(client: Client, models: Path) -> None:
    path = f"{address('owl')}?checkpoint=starter"
    answers = [
        client.site.ask("PUT", path, [JSON], json.dumps({"sd_version": version}).encode())
        for version in ("", "SD1")
    ]
    assert [json.loads(answer.body)["mismatch"] for answer in answers] == ["made for SDXL", ""]


@pytest.mark.parametrize(
    ("edit", "field"),
    [({"weight": 1}, "weight"), ({"preferred_weight": 101}, "preferred_weight"),
     ({"notes": "x" * 10_001}, "notes"), ({"notes": 3}, "notes")],
)  # fmt: skip
def test_wrong_notes_are_refused(client: Client, models: Path, edit: object, field: str) -> None:
    status, at, _ = error_of(put(client, "owl", edit))
    assert (status, at) == (422, field)
    assert not (models / "Lora" / "owl.json").exists()


def test_damaged_notes_and_unknown_models_are_refused(client: Client, models: Path) -> None:
    (models / "Lora" / "owl.json").write_text("{", "utf-8")
    assert error_of(put(client, "owl", {"notes": "x"}))[0] == 422
    assert error_of(put(client, "none", {"notes": "x"}))[0] == 404
    assert error_of(client.get(f"{address('none')}/preview"))[0] == 404
    assert error_of(client.get(f"{CARDS}/..%2F..%2Fsecret/preview"))[0] == 404


def test_a_picture_made_here_becomes_the_preview(client: Client, models: Path) -> None:
    picture = client.make(prompt="an owl", width=1024, height=512)["pictures"][0]
    card = client.post(f"{address(HARD_NAME)}/preview", {"picture": picture["id"]}, status=200)
    file = models / "Lora" / f"{HARD_NAME}.preview.png"
    with Image.open(file) as beside:
        assert (beside.size, beside.format) == ((768, 384), "PNG")
        assert beside.text["parameters"].startswith("an owl")
    answer = client.get(card["preview"])
    assert (answer.status, answer.one("content-type")) == (200, "image/webp")
    assert answer.one("x-content-type-options") == "nosniff"
    assert "immutable" in answer.one("cache-control")
    with Image.open(io.BytesIO(answer.body)) as small:
        assert small.size == (384, 192)
    etag = ("If-None-Match", answer.one("etag"))
    assert client.get(card["preview"], etag).status == 304

    file.write_bytes(png(80, 80, "blue"))
    changed = client.json(f"{CARDS}?search=hard")["cards"][0]["preview"]
    assert changed != card["preview"]
    assert client.get(changed, etag).status == 200


def test_a_picture_of_nobody_is_refused(client: Client, models: Path) -> None:
    answer = client.post(f"{address('owl')}/preview", {"picture": "none"}, status=404)
    assert answer["error"]["message"].startswith("There is no picture")


@pytest.mark.parametrize("name", ["owl.preview.png", "owl.jpg"])
def test_what_is_no_picture_is_not_handed_out(client: Client, models: Path, name: str) -> None:
    (models / "Lora" / name).write_bytes(b"<script>secret</script>")
    answer = client.get(f"{address('owl')}/preview")
    assert (answer.status, b"secret" in answer.body) == (415, False)


def test_a_page_of_another_site_changes_nothing(client: Client, models: Path) -> None:
    foreign = [("Origin", "http://evil.example"), ("X-Gesso", "1"), JSON]
    assert client.site.ask("PUT", address("owl"), foreign, b'{"notes": "x"}').status == 403
    assert not (models / "Lora" / "owl.json").exists()
