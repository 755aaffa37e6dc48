"""Folders of other programs beside our own, and looks that run in the background."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalog.test_cards import network
from tests.catalog.test_catalog import SD15_KEYS
from tests.catalog.test_parts import VAES, t5, write
from webui.catalog.catalog import Catalog
from webui.catalog.homes import better_home
from webui.catalog.roots import Root, read_roots
from webui.core.errors import NotFound
from webui.core.model import ModelKind
from webui.families import load_families


def ids(catalog: Catalog) -> list[str]:
    """All models but the starter."""
    return [m.id for kind in ModelKind for m in catalog.models(kind) if not m.is_starter]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network(tmp_path / "models" / "Lora" / "own.safetensors")
    return tmp_path / "models"


@pytest.fixture
def roots() -> list[Root]:
    """What the test wants to have looked through beside our own folder."""
    return []


@pytest.fixture
def catalog(folder: Path, tmp_path: Path, roots: list[Root]) -> Iterator[Catalog]:
    families = load_families()
    made = Catalog(folder, tmp_path / "models.sqlite", families, others=lambda: tuple(roots))
    yield made
    made.close()


def a1111(folder: Path) -> Path:
    write(folder / "models" / "Stable-diffusion" / "real.safetensors", SD15_KEYS)
    write(folder / "models" / "text_encoder" / "t5.safetensors", t5(4096))
    network(folder / "models" / "Lora" / "styles" / "ink.safetensors")
    write(folder / "embeddings" / "bad.safetensors", {"emb_params": [6, 768]})
    network(folder / "outputs" / "not here.safetensors")
    (folder / "webui.py").write_text("")
    return folder


def comfy(folder: Path) -> Path:
    write(folder / "models" / "checkpoints" / "real.safetensors", SD15_KEYS)
    write(folder / "models" / "text_encoders" / "t5.safetensors", t5(4096))
    write(folder / "models" / "vae" / "ae.safetensors", VAES["flux16"][1])
    network(folder / "models" / "loras" / "ink.safetensors")
    write(folder / "models" / "embeddings" / "bad.safetensors", {"emb_params": [6, 768]})
    (folder / "main.py").write_text("")
    network(folder / "custom_nodes" / "not here.safetensors")
    return folder


def test_folders_of_a1111_forge_and_comfyui_are_understood(
    catalog: Catalog, tmp_path: Path, roots: list[Root]
) -> None:
    others = (a1111(tmp_path / "forge"), comfy(tmp_path / "ComfyUI"))
    roots.extend(read_roots(";".join(map(str, others))))
    catalog.refresh()
    assert ids(catalog) == [
        "@ComfyUI/checkpoints/real.safetensors", "@forge/Stable-diffusion/real.safetensors",
        "@ComfyUI/vae/ae.safetensors",
        "@ComfyUI/loras/ink.safetensors", "@forge/Lora/styles/ink.safetensors",
        "Lora/own.safetensors",
        "@ComfyUI/embeddings/bad.safetensors", "@forge/embeddings/bad.safetensors",
        "@ComfyUI/text_encoders/t5.safetensors", "@forge/text_encoder/t5.safetensors",
    ]  # fmt: skip
    assert catalog.find("@forge/Lora/styles/ink", ModelKind.LORA).folder == "@forge/Lora/styles"


def test_any_other_folder_is_looked_through_as_it_is(
    catalog: Catalog, tmp_path: Path, roots: list[Root]
) -> None:
    network(tmp_path / "disk" / "a" / "ink.safetensors")
    roots.append(Root(path=tmp_path / "disk", name="Big disk"))
    catalog.refresh()
    assert "@Big disk/a/ink.safetensors" in ids(catalog)


def test_a_setting_lists_folders_with_or_without_names() -> None:
    text = "/a/ComfyUI/models; Old = D:\\sd\n/b/ComfyUI/models;;\n/a/ComfyUI/models"
    assert read_roots(text) == (
        Root(path=Path("/a/ComfyUI/models"), name="ComfyUI"),
        Root(path=Path("D:\\sd"), name="Old"),
        Root(path=Path("/b/ComfyUI/models"), name="ComfyUI 2"),
    )
    assert read_roots(" \n") == ()


@pytest.mark.parametrize(
    "text", ["x" * 5000, "a/" * 4000, "~nobody-at-all/models", "a\0b", "\udcff"]
)
def test_a_folder_that_no_system_could_have_does_no_harm(
    catalog: Catalog, roots: list[Root], text: str
) -> None:
    """It is a setting: the next start has to come about, too."""
    roots.extend(read_roots(text))
    catalog.refresh()
    assert [root.is_there for root in roots] == [False]
    assert ids(catalog) == ["Lora/own.safetensors"]


def test_a_folder_that_is_gone_says_so_and_what_was_known_of_it_is_kept(
    catalog: Catalog, tmp_path: Path, roots: list[Root]
) -> None:
    roots.append(Root(path=tmp_path / "disk", name="Big disk"))
    file = network(tmp_path / "disk" / "ink.safetensors")
    catalog.refresh()
    hashed = catalog.hashed(catalog.find("ink", ModelKind.LORA)).hash
    (tmp_path / "disk").rename(tmp_path / "away")
    catalog.refresh()
    assert ids(catalog) == ["Lora/own.safetensors"]
    (problem,) = catalog.problems()
    assert "“Big disk” is not there" in problem.why
    assert str(tmp_path) not in problem.why
    (tmp_path / "away").rename(tmp_path / "disk")
    file.with_suffix(".txt").write_text("no model")
    catalog.refresh()
    assert catalog.find("ink", ModelKind.LORA).hash == hashed


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_no_file_is_listed_twice_by_links_between_folders(
    catalog: Catalog, folder: Path, tmp_path: Path, roots: list[Root]
) -> None:
    network(tmp_path / "disk" / "ink.safetensors")
    (folder / "Lora" / "a link").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "disk" / "back").symlink_to(folder, target_is_directory=True)
    roots.append(Root(path=tmp_path / "disk", name="disk"))
    catalog.refresh()
    assert ids(catalog) == ["Lora/a link/ink.safetensors", "Lora/own.safetensors"]


@pytest.mark.parametrize(
    ("kind", "folder", "better"),
    [
        (ModelKind.LORA, "Stable-diffusion", "Lora"),
        (ModelKind.LORA, "Stable-diffusion/Lora/deep", ""),
        (ModelKind.LORA, "@ComfyUI/checkpoints", "loras"),
        (ModelKind.TEXT_ENCODER, "VAE", "text_encoders"),
        (ModelKind.TEXT_ENCODER, "clip", ""),
        (ModelKind.VAE, "my own order", ""),
    ],
)
def test_files_in_the_folder_of_another_kind_have_a_better_home(
    kind: ModelKind, folder: str, better: str
) -> None:
    assert better_home(kind, folder) == better


def test_what_is_asked_for_during_the_first_look_is_waited_for(catalog: Catalog) -> None:
    catalog.refresh_soon()
    assert catalog.find("own", ModelKind.LORA).id == "Lora/own.safetensors"
    with pytest.raises(NotFound):
        catalog.get("Lora/other.safetensors")


def test_files_that_come_and_go_are_followed(catalog: Catalog, folder: Path) -> None:
    assert catalog.refresh_soon(patience_s=30)
    network(folder / "Lora" / "new.safetensors")
    (folder / "Lora" / "own.safetensors").unlink()
    assert catalog.refresh_soon(patience_s=30)
    assert ids(catalog) == ["Lora/new.safetensors"]
    assert catalog.looking is None
