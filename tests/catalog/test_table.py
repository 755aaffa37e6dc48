"""Models in one table, duplicates, and hashes that are computed in the background."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from tests.catalog.test_cards import network, noted
from tests.catalog.test_parts import VAES, clip, t5, write
from tests.conftest import until
from tests.model_files import safetensors
from webui.catalog.cards import Cards
from webui.catalog.catalog import Catalog
from webui.catalog.hashing import Hasher, alike_first
from webui.catalog.table import ModelTable, Only, Order, TableQuery
from webui.core.model import ModelInfo, ModelKind
from webui.families import load_families

INK = "Lora/Ink.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    noted(network(models / "Lora" / "Ink.safetensors"), notes="for midnight")
    network(models / "VAE" / "owl.safetensors", "sdxl")
    write(models / "VAE" / "ae.safetensors", VAES["flux16"][1])
    write(models / "text_encoders" / "t5.safetensors", t5(4096))
    write(models / "text_encoders" / "l.safetensors", clip(768))
    return models


@pytest.fixture
def catalog(folder: Path, tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(folder, tmp_path / "models.sqlite", load_families())
    made.refresh()
    yield made
    made.close()


@pytest.fixture
def hasher(catalog: Catalog) -> Iterator[Hasher]:
    made = Hasher(catalog.hashes, on_hashed=catalog.show_hashes)
    yield made
    made.cancel()


def table(catalog: Catalog, uses: Mapping[str, int] | None = None) -> ModelTable:
    latents = {family.id: family.latents for family in load_families()}
    return ModelTable(catalog, Cards(catalog), lambda _: uses or {}, latents)


def names(made: ModelTable, query: TableQuery) -> list[str]:
    return [row.card.model.name for row in made.page(query).rows]


def every(catalog: Catalog) -> list[ModelInfo]:
    return [model for kind in ModelKind for model in catalog.models(kind)]


def hashed(catalog: Catalog, hasher: Hasher, models: list[ModelInfo]) -> None:
    """Compute the hashes of these and wait."""
    hasher.start(models)
    until(lambda: hasher.hashing is None)
    catalog.show_hashes()


def test_all_kinds_stand_in_one_table(catalog: Catalog) -> None:
    page = table(catalog).page(TableQuery())
    found = {row.card.model.name: row.variant for row in page.rows}
    assert found == {
        "ae": "for SD 3, Flux and Chroma", "Ink": "", "l": "CLIP-L", "owl": "", "starter": "",
        "t5": "T5-XXL",
    }  # fmt: skip
    assert page.kinds == {"checkpoint": 1, "vae": 1, "lora": 2, "text_encoder": 2}
    assert page.families == {"sd15": 2, "sdxl": 1}
    assert page.total_bytes == sum(model.size_bytes for model in every(catalog))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (TableQuery(search="midnight"), ["Ink"]),
        (TableQuery(search="t5xxl"), ["t5"]),
        (TableQuery(kind=ModelKind.LORA), ["Ink", "owl"]),
        (TableQuery(kind=ModelKind.LORA, family="sdxl"), ["owl"]),
        (TableQuery(order=Order.KIND, limit=2), ["starter", "ae"]),
        (TableQuery(order=Order.SIZE, limit=1), ["t5"]),
        (TableQuery(order=Order.USED, limit=1), ["Ink"]),
        (TableQuery(only=Only.MISPLACED), ["owl"]),
        (TableQuery(only=Only.UNUSED, offset=1, limit=2), ["l", "owl"]),
    ],
)
def test_rows_are_found_and_ordered(catalog: Catalog, query: TableQuery, found: list[str]) -> None:
    assert names(table(catalog, {INK: 3}), query) == found


def test_a_row_says_where_a_file_belongs_and_what_was_made_with_it(catalog: Catalog) -> None:
    made = table(catalog, {INK: 3})
    assert (made.row(INK).pictures, made.row(INK).better_home) == (3, "")
    assert made.row("VAE/owl.safetensors").better_home == "Lora"


FLUX: Final = {
    "img_in.weight": [3072, 64],
    "double_blocks.0.img_mod.lin.weight": [18432, 3072],
    "single_blocks.0.linear1.weight": [21504, 3072],
    "vector_in.in_layer.weight": [3072, 768],
    "final_layer.linear.weight": [64, 3072],
}


def test_a_checkpoint_says_which_of_its_missing_parts_no_file_brings(
    catalog: Catalog, folder: Path
) -> None:
    write(folder / "unet" / "flux.safetensors", FLUX)
    (folder / "text_encoders" / "t5.safetensors").unlink()
    (folder / "VAE" / "ae.safetensors").unlink()
    write(folder / "VAE" / "old.safetensors", VAES["sd"][1])
    catalog.refresh()
    made = table(catalog)
    row = made.row("unet/flux.safetensors")
    assert (row.missing, row.lacking) == (["CLIP-L", "T5-XXL", "VAE"], ["T5-XXL", "VAE"])
    assert names(made, TableQuery(only=Only.LACKING)) == ["flux"]


def test_files_of_the_same_contents_are_found_by_their_hashes(
    catalog: Catalog, folder: Path, hasher: Hasher
) -> None:
    network(folder / "Lora" / "copies" / "Ink again.safetensors")
    catalog.refresh()
    made = table(catalog)
    assert made.duplicates() == []
    hashed(catalog, hasher, alike_first(every(catalog), only_alike=True))
    assert [[model.name for model in group] for group in made.duplicates()] == [
        ["Ink again", "Ink"]
    ]
    assert made.row(INK).twins == ["Lora/copies/Ink again.safetensors"]
    assert names(made, TableQuery(only=Only.DUPLICATES)) == ["Ink", "Ink again"]
    assert catalog.get("text_encoders/t5.safetensors").hash is None


def test_all_that_a_file_is_called_is_computed_in_one_go(
    catalog: Catalog, folder: Path, hasher: Hasher
) -> None:
    weights = bytes(range(256)) * 4096
    shapes = {"lora_unet_x.lora_up.weight": [1024, 1024], "lora_unet_x.lora_down.weight": [1, 1]}
    file = safetensors(folder / INK, shapes, weights)
    catalog.refresh()
    hashed(catalog, hasher, [catalog.get(INK)])
    data = file.read_bytes()
    body = data[8 + struct.unpack("<Q", data[:8])[0] :]
    ink = catalog.get(INK)
    assert ink.hash == hashlib.sha256(data).hexdigest()
    assert catalog.known_short_hash(ink) == hashlib.sha256(body).hexdigest()[:12]
    old = hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
    assert catalog.hashes.legacy(file) == old
    assert hasher.start([ink]) is None


def test_computing_hashes_waits_for_jobs_and_can_be_cancelled(catalog: Catalog) -> None:
    is_free = Event()
    hasher = Hasher(catalog.hashes, is_busy=lambda: not is_free.is_set())
    hasher.start(every(catalog))
    until(lambda: hasher.hashing is not None and hasher.hashing.is_waiting)
    hasher.cancel()
    assert hasher.hashing is None
    catalog.show_hashes()
    assert not any(model.hash for model in every(catalog))
