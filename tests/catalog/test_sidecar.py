"""Notes beside models, as A1111 writes and reads them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.catalog.sidecar import (
    Sidecar,
    preview_path,
    read_sidecar,
    write_preview,
    write_sidecar,
)
from webui.core.errors import ModelUnreadable

A1111 = {
    "description": "Ink on paper",
    "sd version": "SD1",
    "activation text": "inkstyle",
    "preferred weight": 0.8,
    "negative text": "photo",
    "notes": "from a friend",
}
NOTES = Sidecar(
    description="Ink on paper",
    made_for="SD1",
    activation_text="inkstyle",
    preferred_weight=0.8,
    negative_text="photo",
    notes="from a friend",
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "ink.v2.safetensors"
    file.write_bytes(b"")
    return file


def test_a1111s_notes_are_read(model: Path) -> None:
    (model.parent / "ink.v2.json").write_text(json.dumps(A1111), "utf-8")
    assert read_sidecar(model) == NOTES


def test_our_notes_are_written_as_a1111s_and_keep_what_others_put_there(model: Path) -> None:
    path = model.parent / "ink.v2.json"
    path.write_text(json.dumps({"modelId": 7, "notes": "old"}), "utf-8")
    write_sidecar(model, NOTES)
    assert json.loads(path.read_text("utf-8")) == {"modelId": 7, **A1111}
    write_sidecar(model, replace(NOTES, notes=""))
    assert read_sidecar(model) == replace(NOTES, notes="")
    assert [file.name for file in model.parent.iterdir() if file.name.startswith(".")] == []


@given(st.builds(Sidecar, **{f.name: st.text(st.characters(codec="utf-8")) for f in fields(Sidecar)
                             if f.name not in ("preferred_weight", "description")}))  # fmt: skip
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, notes: Sidecar
) -> None:
    model = tmp_path_factory.mktemp("any") / "a.safetensors"
    write_sidecar(model, notes)
    assert read_sidecar(model) == notes


def test_a_text_file_stands_in_for_the_description(model: Path) -> None:
    (model.parent / "ink.v2.txt").write_text(" Ink \n", "utf-8")
    assert read_sidecar(model) == Sidecar(description="Ink")


def test_what_civitai_says_stands_in_for_what_nobody_noted(model: Path) -> None:
    info = {
        "baseModel": "SDXL 1.0",
        "trainedWords": ["inkstyle,", "wet paper"],
        "description": "<p>Ink &amp; <b>paper</b></p><p>v2<br/>soft</p><script>",
        "model": {"description": "no"},
    }
    (model.parent / "ink.v2.civitai.info").write_text(json.dumps(info), "utf-8")
    assert read_sidecar(model) == Sidecar(
        activation_text="inkstyle, wet paper",
        description="Ink & paper\nv2\nsoft",
        made_for="SDXL",
    )
    (model.parent / "ink.v2.json").write_text('{"activation text": "mine"}', "utf-8")
    assert read_sidecar(model).activation_text == "mine"


@pytest.mark.parametrize("text", ["[]", '{"trainedWords": 3, "model": 4, "description": [1]}'])
def test_odd_words_of_civitai_do_no_harm(model: Path, text: str) -> None:
    (model.parent / "ink.v2.civitai.info").write_text(text, "utf-8")
    assert read_sidecar(model).activation_text == ""


@pytest.mark.parametrize("text", ["{", "[1]", '{"notes": 3, "preferred weight": "x"}'])
def test_notes_that_cannot_be_read_are_as_none(model: Path, text: str) -> None:
    (model.parent / "ink.v2.json").write_text(text, "utf-8")
    assert read_sidecar(model) == Sidecar()


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "1e400", "1" + "0" * 400])
def test_a_weight_that_is_no_number_is_as_none(model: Path, weight: str) -> None:
    (model.parent / "ink.v2.json").write_text(f'{{"preferred weight": {weight}}}', "utf-8")
    assert read_sidecar(model) == Sidecar()


def test_half_a_character_is_replaced(model: Path) -> None:
    (model.parent / "ink.v2.json").write_text('{"notes": "a\\ud800b"}', "utf-8")
    assert read_sidecar(model) == Sidecar(notes="a?b")


def test_damaged_notes_are_not_overwritten(model: Path) -> None:
    path = model.parent / "ink.v2.json"
    path.write_text('{"notes": "much wor', "utf-8")
    with pytest.raises(ModelUnreadable, match=r"ink\.v2\.json can't be read"):
        write_sidecar(model, NOTES)
    assert path.read_text("utf-8") == '{"notes": "much wor'


def test_the_preview_is_the_one_that_a1111_would_show(model: Path) -> None:
    assert preview_path(model) is None
    (model.parent / "ink.v2.jpg").write_bytes(b"b")
    assert preview_path(model) == model.parent / "ink.v2.jpg"
    (model.parent / "ink.v2.preview.webp").write_bytes(b"c")
    assert preview_path(model) == model.parent / "ink.v2.preview.webp"
    assert write_preview(model, b"d") == preview_path(model)
    assert (model.parent / "ink.v2.preview.png").read_bytes() == b"d"
