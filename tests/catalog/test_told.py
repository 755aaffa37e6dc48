"""What people say of a model in a file beside it, where its own says nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalog.test_parts import Shapes, word
from tests.catalog.test_shards import write_shards
from tests.model_files import safetensors
from webui.catalog.catalog import Catalog
from webui.families import load_families
from webui.families.told import said_of

QWEN: Shapes = {
    "txt_norm.weight": [3584],
    "transformer_blocks.0.img_mod.1.weight": [18432, 3072],
    "transformer_blocks.0.attn.add_q_proj.weight": [3072, 3072],
    "proj_out.weight": [64, 3072],
}
SAID = {"modelspec.title": "a", "else": "b"}
EDIT = '# from its page\nmodelspec.title: "Qwen-Image-Edit 2509"\nother: 3\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of models."""
    return tmp_path / "models"


@pytest.fixture
def catalog(folder: Path, tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of it, without the starter model."""
    made = Catalog(folder, tmp_path / "models.sqlite", load_families(), shipped=tmp_path / "none")
    yield made
    made.close()


def variants(catalog: Catalog) -> list[str]:
    """Of the models that are there now."""
    catalog.refresh()
    return [model.variant for model in catalog.models()]


def test_what_is_said_beside_a_file_counts_while_it_is_there(
    catalog: Catalog, folder: Path
) -> None:
    path = safetensors(folder / "mine.safetensors", QWEN)
    assert variants(catalog) == [""]
    hash = catalog.hashes.compute(path)
    beside = path.with_suffix(".yaml")
    beside.write_text(EDIT, "utf-8")
    assert variants(catalog) == ["edit-plus"]
    assert catalog.hashes.known(path) == hash
    beside.unlink()
    assert variants(catalog) == [""]


def test_it_counts_more_than_what_the_file_says(folder: Path) -> None:
    path = safetensors(folder / "a.safetensors", QWEN, b"", "F16", **SAID)
    path.with_suffix(".yaml").write_text("modelspec.title: c\r\nmodelspec.hash: d", "utf-8")
    assert said_of(path) == {"modelspec.title": "c", "else": "b"}


def test_it_may_lie_beside_several_files(catalog: Catalog, folder: Path) -> None:
    write_shards(folder, "mine", QWEN, 2)
    (folder / "mine.yaml").write_text(EDIT, "utf-8")
    assert variants(catalog) == ["edit-plus"]


def test_names_in_gguf_files_count(tmp_path: Path) -> None:
    name = word("general.name") + struct.pack("<I", 8) + word("FLUX.1 Kontext")
    tensor = word("a.weight") + struct.pack("<IQIQ", 1, 32, 0, 0)
    front = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + name + tensor
    path = tmp_path / "a.gguf"
    path.write_bytes(front.ljust(-(-len(front) // 32) * 32, b"\0") + bytes(128))
    assert said_of(path)["general.name"] == "FLUX.1 Kontext"


def test_settings_of_older_trainers_say_nothing(catalog: Catalog, folder: Path) -> None:
    safetensors(folder / "mine.safetensors", QWEN)
    settings = "model:\n  params:\n    modelspec.title: edit\n    parameterization: v\n"
    (folder / "mine.yaml").write_text(settings, "utf-8")
    assert variants(catalog) == [""]
