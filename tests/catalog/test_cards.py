"""Models as cards: what a query finds, and what a person's notes change."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.model_files import safetensors
from webui.catalog.cards import CardQuery, Cards, Sort
from webui.catalog.catalog import Catalog
from webui.catalog.sidecar import Sidecar
from webui.core.errors import NotFound, NotPermitted
from webui.core.model import ModelKind
from webui.families import load_families

LORA = CardQuery(kind=ModelKind.LORA)
CONTEXT = {"sd15": 768, "sd2": 1024, "sdxl": 2048}


def network(path: Path, family: str = "sd15", **metadata: str) -> Path:
    """A LoRA for a family, all zeros."""
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    shapes = {
        f"{name}.lora_down.weight": [8, CONTEXT[family]],
        f"{name}.lora_up.weight": [320, 8],
    }
    return safetensors(path, shapes, b"", **metadata)


def noted(path: Path, **notes: object) -> None:
    path.with_suffix(".json").write_text(json.dumps(notes), "utf-8")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    ink = network(folder / "Lora" / "styles" / "Ink.safetensors", sshs_model_hash="ab" * 32)
    noted(ink, **{"activation text": "inkstyle", "preferred weight": 0.7})
    network(folder / "Lora" / "styles" / "old" / "ash.safetensors")
    network(folder / "Lora" / "people" / "owl.safetensors", "sdxl")
    network(folder / "top.safetensors")
    return folder


@pytest.fixture
def catalog(models: Path, tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(models, tmp_path / "models.sqlite", load_families())
    made.refresh()
    yield made
    made.close()


@pytest.fixture
def names(catalog: Catalog) -> Callable[..., list[str]]:
    """The names of the cards that a query finds."""
    cards = Cards(catalog)

    def find(**changes: Any) -> list[str]:
        page = cards.page(replace(LORA, **changes))
        return [card.model.name for card in page.cards]

    return find


def test_a_card_says_what_is_known_of_a_model(catalog: Catalog) -> None:
    card = Cards(catalog).get("Lora/styles/Ink.safetensors")
    assert card.notes == Sidecar(activation_text="inkstyle", preferred_weight=0.7)
    assert (card.prompt_name, card.short_hash, card.made_for) == ("Ink", "ab" * 6, "SD 1.5")
    assert (card.picture, card.mismatch) == (None, "")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["ash", "Ink", "owl", "top"]),
        ("INK", ["Ink"]),
        ("styles", ["ash", "Ink"]),
        ("inkstyle", ["Ink"]),
        ("old  ash", ["ash"]),
        ("ash owl", []),
    ],
)
def test_a_search_finds_all_its_words(
    names: Callable[..., list[str]], search: str, found: list[str]
) -> None:
    assert names(search=search) == found


def test_a_folder_holds_those_below_it(names: Callable[..., list[str]]) -> None:
    assert names(folder="Lora/styles") == ["ash", "Ink"]
    assert names(folder="Lora/styles/old") == ["ash"]
    assert names(folder="Lora/sty") == []


def test_folders_are_counted_for_the_search_whatever_folder_is_open(catalog: Catalog) -> None:
    page = Cards(catalog).page(replace(LORA, search="styles", folder="Lora/people"))
    assert page.folders == {"": 2, "Lora": 2, "Lora/styles": 2, "Lora/styles/old": 1}
    assert (page.total, page.cards) == (0, [])


def test_pages_follow_each_other(names: Callable[..., list[str]]) -> None:
    assert [*names(limit=3), *names(limit=3, offset=3)] == ["ash", "Ink", "owl", "top"]


def test_the_order_can_be_chosen(models: Path, catalog: Catalog) -> None:
    for seconds, name in enumerate(("top", "Lora/people/owl", "Lora/styles/Ink")):
        os.utime(models / f"{name}.safetensors", (seconds, seconds))
    catalog.refresh()
    cards = Cards(catalog)

    def in_order(sort: Sort) -> list[str]:
        return [card.model.name for card in cards.page(replace(LORA, sort=sort)).cards]

    assert in_order(Sort.PATH) == ["owl", "Ink", "ash", "top"]
    assert in_order(Sort.MODIFIED) == ["ash", "Ink", "owl", "top"]
    assert sorted(in_order(Sort.CREATED)) == ["Ink", "ash", "owl", "top"]


def test_a_card_of_another_family_says_so(catalog: Catalog) -> None:
    cards = Cards(catalog)
    query = replace(LORA, checkpoint="starter")
    said = {card.model.name: card.mismatch for card in cards.page(query).cards}
    assert said == {"ash": "", "Ink": "", "owl": "made for SDXL", "top": ""}
    fitting = cards.page(replace(query, only_fitting=True))
    assert [card.model.name for card in fitting.cards] == ["ash", "Ink", "top"]
    assert not any(card.mismatch for card in cards.page(LORA).cards)


def test_what_a_person_says_of_the_family_goes_first(models: Path, catalog: Catalog) -> None:
    noted(models / "top.safetensors", **{"sd version": "SD2"})
    card = Cards(catalog).page(replace(LORA, search="top", checkpoint="starter")).cards[0]
    assert (card.made_for, card.mismatch) == ("SD 2", "made for SD 2")


def test_two_of_one_name_are_told_apart_by_their_folders(models: Path, catalog: Catalog) -> None:
    network(models / "Lora" / "top.safetensors")
    catalog.refresh()
    names = [card.prompt_name for card in Cards(catalog).page(replace(LORA, search="top")).cards]
    assert names == ["Lora/top", "top"]
    assert [catalog.find(name, ModelKind.LORA).id for name in names] == [
        "Lora/top.safetensors",
        "top.safetensors",
    ]


def test_notes_are_found_as_soon_as_they_are_written(catalog: Catalog) -> None:
    cards = Cards(catalog)
    assert cards.page(replace(LORA, search="midnight")).total == 0
    cards.note("top.safetensors", Sidecar(notes="for midnight"))
    assert cards.get("top.safetensors").notes.notes == "for midnight"
    assert cards.page(replace(LORA, search="midnight")).total == 1


def test_notes_of_other_programs_are_shown_at_once_and_found_after_a_refresh(
    models: Path, catalog: Catalog
) -> None:
    cards = Cards(catalog)
    assert cards.page(replace(LORA, search="owlish")).total == 0
    noted(models / "Lora" / "people" / "owl.safetensors", **{"activation text": "owlish"})
    assert cards.get("Lora/people/owl.safetensors").notes.activation_text == "owlish"
    catalog.refresh()
    assert cards.page(replace(LORA, search="owlish")).total == 1


def test_a_picture_becomes_the_cards(models: Path, catalog: Catalog) -> None:
    cards = Cards(catalog)
    with pytest.raises(NotFound):
        cards.picture("top.safetensors")
    cards.show("top.safetensors", b"png")
    assert cards.get("top.safetensors").picture == models / "top.preview.png"
    assert cards.picture("top.safetensors").read_bytes() == b"png"


def test_the_starter_models_card_stays_as_it_is(catalog: Catalog) -> None:
    cards = Cards(catalog)
    with pytest.raises(NotPermitted, match="starter"):
        cards.note("starter", Sidecar(notes="x"))
    with pytest.raises(NotPermitted, match="starter"):
        cards.show("starter", b"png")
    with pytest.raises(NotFound):
        cards.get("../secret.safetensors")


def test_what_cannot_be_written_is_refused_with_the_reason(models: Path, catalog: Catalog) -> None:
    (models / "top.preview.png").mkdir()
    with pytest.raises(NotPermitted, match="beside “top”"):
        Cards(catalog).show("top.safetensors", b"png")
