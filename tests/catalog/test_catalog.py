"""What the catalog finds in a models folder, what it refuses and why."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model_files import safetensors
from webui.catalog.catalog import Catalog
from webui.core.errors import ModelUnreadable, NotFound
from webui.modelfiles.header import read_header

SD15_KEYS = {
    "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
    "model.diffusion_model.middle_block.1.proj_in.weight": [1280, 1280, 1, 1],
    "model.diffusion_model.out.2.weight": [4, 320, 3, 3],
    "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": [1, 768],
}


def write(path: Path, keys: dict[str, list[int]], payload: bytes = b"") -> Path:
    return safetensors(path, keys, payload)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_the_starter_model_is_there_and_chosen_when_there_is_nothing_else(catalog: Catalog) -> None:
    catalog.refresh()
    assert [model.id for model in catalog.models()] == ["starter"]
    assert catalog.default().is_starter
    assert catalog.default("gone.safetensors").id == "starter"


def test_a_real_checkpoint_is_recognised_by_its_keys_and_preferred(
    catalog: Catalog, folder: Path
) -> None:
    write(folder / "Stable-diffusion" / "my model.safetensors", SD15_KEYS)
    catalog.refresh()
    model = catalog.default()
    assert (model.id, model.name, model.family) == (
        "Stable-diffusion/my model.safetensors", "my model", "sd15",
    )  # fmt: skip
    assert catalog.default("starter").id == "starter"


def test_a_model_is_found_by_id_name_file_name_and_hash(catalog: Catalog, folder: Path) -> None:
    path = write(folder / "a.safetensors", SD15_KEYS)
    catalog.refresh()
    model = catalog.hashed(catalog.find("a"))
    assert model.hash == hashlib.sha256(path.read_bytes()).hexdigest()
    for ref in ("a.safetensors", "a", model.hash, model.hash[:10]):
        assert catalog.find(ref).path == path
    with pytest.raises(NotFound):
        catalog.find("b")


def test_a_changed_file_gets_a_new_hash(catalog: Catalog, folder: Path) -> None:
    path = write(folder / "a.safetensors", SD15_KEYS)
    catalog.refresh()
    first = catalog.hashed(catalog.find("a")).hash
    write(path, SD15_KEYS, payload=b"more")
    assert catalog.hashed(catalog.find("a")).hash != first


def test_files_that_cannot_be_used_are_named_with_the_reason(
    catalog: Catalog, folder: Path
) -> None:
    write(folder / "language.safetensors", {"lm_head.weight": [4, 4, 4]})
    (folder / "text.safetensors").write_text("not a model at all")
    short = write(folder / "short.safetensors", SD15_KEYS)
    short.write_bytes(short.read_bytes()[:40])
    (folder / "broken").mkdir()
    (folder / "broken" / "model_index.json").write_text("{")
    catalog.refresh()
    assert [model.id for model in catalog.models()] == ["starter"]
    problems = {problem.name: problem.why for problem in catalog.problems()}
    assert set(problems) == {
        "language.safetensors", "text.safetensors", "short.safetensors", "broken",
    }  # fmt: skip
    assert "none of the kinds" in problems["language.safetensors"]


def test_a_file_cut_short_says_how_much_is_missing(folder: Path) -> None:
    entries = {"a": {"dtype": "F32", "shape": [2**20], "data_offsets": [0, 2**22]}}
    text = json.dumps(entries).encode()
    path = folder / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(2**20))
    with pytest.raises(ModelUnreadable, match=r"3\.0 MB are missing"):
        read_header(path)


def test_links_that_point_back_up_end(catalog: Catalog, folder: Path) -> None:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    catalog.refresh()
    assert "starter" in [model.id for model in catalog.models()]


@given(data=st.binary(max_size=200), length=st.integers(0, 2**64 - 1))
@settings(max_examples=200)
def test_a_hostile_header_is_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, length: int
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + data)
    with contextlib.suppress(ModelUnreadable):
        assert read_header(path) == {}
