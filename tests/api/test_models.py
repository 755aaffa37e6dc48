"""Models through the API: the table, what can't be used, and hashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Client, error_of
from tests.catalog.test_cards import network
from tests.catalog.test_parts import STRANGERS, t5, write
from tests.conftest import until

MODELS = "/api/v1/models"


@pytest.fixture
def folder(client: Client) -> Path:
    made = client.studio.catalog.folder
    network(made / "Lora" / "ink.safetensors")
    network(made / "VAE" / "copy.safetensors")
    write(made / "text_encoders" / "t5.safetensors", t5(4096))
    write(made / "ControlNet" / "canny.safetensors", STRANGERS["controlnet"][1])
    client.studio.catalog.refresh()
    return made


def test_the_table_tells_all_that_is_known(client: Client, folder: Path) -> None:
    page = client.json(f"{MODELS}/table?kind=lora&order=size&limit=1&offset=1")
    assert (page["total"], page["offset"], len(page["rows"])) == (2, 1, 1)
    assert page["kinds"] == {"checkpoint": 1, "lora": 2, "text_encoder": 1}
    assert page["families"] == [{"id": "sd15", "label": "SD 1.5", "count": 2}]
    row = client.json(f"{MODELS}/row?id=VAE/copy.safetensors")
    assert (row["better_home"], row["card"]["name"], row["hash"]) == ("Lora", "copy", None)
    encoder = client.json(f"{MODELS}/table?search=t5")["rows"][0]
    assert encoder["variant"] == "T5-XXL"
    assert str(folder) not in json.dumps([page, row])


def test_pictures_are_counted_for_what_made_them(client: Client, folder: Path) -> None:
    assert client.json(f"{MODELS}/row?id=starter")["pictures"] == 0
    client.make(prompt="an owl <lora:ink:1>", sampling={"steps": 1}, batch_count=2)
    for id in ("starter", "Lora/ink.safetensors"):
        assert client.json(f"{MODELS}/row?id={id}")["pictures"] == 2
    client.make(prompt="an owl", sampling={"steps": 1})
    assert client.json(f"{MODELS}/row?id=starter")["pictures"] == 3


def test_files_that_cannot_be_used_say_why(client: Client, folder: Path) -> None:
    page = client.json(f"{MODELS}/problems?search=canny")
    (problem,) = page["problems"]
    assert (page["total"], problem["name"], problem["folder"]) == (
        1, "canny.safetensors", "ControlNet",
    )  # fmt: skip
    assert "ControlNet for SD 1.5" in problem["why"]
    assert str(folder) not in json.dumps(page)


def test_hashes_are_computed_on_demand_and_show_duplicates(client: Client, folder: Path) -> None:
    assert client.json(f"{MODELS}/duplicates") == {"groups": [], "total": 0, "spare_bytes": 0}
    client.post(f"{MODELS}/hashes", {"only_alike": True}, status=200)
    work = until(lambda: (now := client.json(f"{MODELS}/work"))["hashing"] is None and now)
    assert (work["hashed"], work["models"], work["problems"]) == (2, 4, 1)
    found = client.json(f"{MODELS}/duplicates")
    (group,) = found["groups"]
    assert {twin["id"] for twin in group} == {"Lora/ink.safetensors", "VAE/copy.safetensors"}
    assert found["spare_bytes"] == group[0]["size_bytes"]
    assert client.site.ask("DELETE", f"{MODELS}/hashes", [], b"").status == 200


def test_folders_of_other_programs_are_looked_through_as_soon_as_they_are_named(
    client: Client, tmp_path: Path
) -> None:
    network(tmp_path / "ComfyUI" / "models" / "loras" / "far.safetensors")
    (tmp_path / "ComfyUI" / "main.py").write_text("")
    named = f"{tmp_path / 'ComfyUI'}; Old={tmp_path / 'gone'}"
    client.studio.settings.update({"extra_model_folders": named})
    page = until(lambda: (now := client.json(f"{MODELS}/table?search=far"))["total"] and now)
    assert page["rows"][0]["card"]["id"] == "@ComfyUI/loras/far.safetensors"
    problems = client.json(f"{MODELS}/problems")
    assert [problem["name"] for problem in problems["problems"]] == ["Old"]
    assert str(tmp_path) not in json.dumps([page, problems])


def test_what_is_not_there_or_not_known_is_refused(client: Client) -> None:
    assert error_of(client.get(f"{MODELS}/row?id=gone"))[0] == 404
    assert error_of(client.get(f"{MODELS}/table?order=mood"))[:2] == (422, "order")
    body = [("Content-Type", "application/json")]
    answer = client.site.ask("POST", f"{MODELS}/hashes", body, b'{"all": true}')
    assert error_of(answer)[:2] == (422, "all")


def test_models_give_their_memory_back(client: Client) -> None:
    client.make(prompt="an owl", sampling={"steps": 1})
    assert engine_of(client)["model"] == "starter"
    assert client.post(f"{MODELS}/release", status=200) == {"is_released": True}
    assert engine_of(client)["model"] == ""
    assert client.make(prompt="an owl", sampling={"steps": 1})["state"] == "done"


def engine_of(client: Client) -> Any:
    (engine,) = client.json("/api/v1/state")["engines"]
    return engine
