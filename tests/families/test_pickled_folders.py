"""Diffusers folders of the older kind: their pickles are converted, never run, and then loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.catalog.hostile_corpus import called
from tests.families.tiny_layouts import Written, make_tiny, write_folder
from tests.model_files import Raw, torch_zip
from webui.catalog.hashes import look, weight_files
from webui.core.errors import ModelUnreadable
from webui.families import load_families
from webui.families.components import Components, Placement
from webui.modelfiles.conversion import Converter

pytestmark = pytest.mark.torch

PLACEMENT = Placement(device=torch.device("cpu"), dtype=torch.float32)
NAMES = {"model": "pytorch_model"}
"""What pickles are called, where not as safetensors files."""


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A tiny SD 1.5 folder with safetensors."""
    folder = tmp_path_factory.mktemp("safe")
    return write_folder(make_tiny("sd15", folder / "description"), folder / "model")


@pytest.fixture
def converter(tmp_path: Path) -> Converter:
    """Keeps what it makes below the test's folder."""
    return Converter(tmp_path / "converted")


def pickled(file: Path, variant: str = "") -> None:
    """The same tensors as a pickle in the file's place."""
    name = f"{NAMES.get(file.stem, file.stem)}{variant}.bin"
    torch.save(load_file(file), file.with_name(name))
    file.unlink()


def halved(file: Path) -> None:
    """The same tensors as two pickles and a list of them."""
    stem, tensors = NAMES.get(file.stem, file.stem), load_file(file)
    names = [f"{stem}-0000{number}-of-00002.bin" for number in (1, 2)]
    keys = sorted(tensors)
    for name, own in zip(names, (keys[::2], keys[1::2]), strict=True):
        torch.save({key: tensors[key] for key in own}, file.with_name(name))
    told = {key: names[place % 2] for place, key in enumerate(keys)}
    file.with_name(f"{stem}.bin.index.json").write_text(json.dumps({"weight_map": told}), "utf-8")
    file.unlink()


def older(safe: Written, folder: Path, write: Callable[[Path], None], *parts: str) -> Path:
    """The folder with pickles in the place of its weights, or of those of some parts."""
    made = Path(shutil.copytree(safe.path, folder / "older"))
    for file in made.rglob("*.safetensors"):
        if not parts or file.parent.name in parts:
            write(file)
    return made


def load(path: Path) -> Components:
    """The model in a folder."""
    return load_families()["sd15"].load(path, PLACEMENT)


def assert_same(one: Components, other: Components) -> None:
    pairs = [
        (one.diffusion_model, other.diffusion_model),
        (one.vae, other.vae),
        (one.text_encoders["text_encoder"], other.text_encoders["text_encoder"]),
    ]
    for ours, theirs in pairs:
        found, wanted = ours.state_dict(), theirs.state_dict()
        assert found.keys() == wanted.keys()
        assert all(found[key].equal(wanted[key]) for key in wanted)


WAYS: dict[str, Callable[[Path], None]] = {
    "whole": pickled,
    "fp16": lambda file: pickled(file, ".fp16"),
    "shards": halved,
}


@pytest.mark.parametrize(
    "way", ["shards", *(pytest.param(way, marks=pytest.mark.slow) for way in ("whole", "fp16"))]
)
def test_each_way_to_write_pickles_holds_the_same(
    way: str, safe: Written, converter: Converter, tmp_path: Path
) -> None:
    folder = older(safe, tmp_path, WAYS[way])
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    made = converter.safe_path(folder)
    assert (made.name, made != folder) == ("older", True)
    assert not list(made.rglob("*.bin"))
    assert_same(load(made), load(safe.path))
    assert converter.known(folder) == converter.safe_path(folder) == made
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_only_what_has_no_safetensors_is_converted(
    safe: Written, converter: Converter, tmp_path: Path
) -> None:
    folder = older(safe, tmp_path, pickled, "vae")
    shutil.copyfile(folder / "vae" / "config.json", folder / "unet" / "diffusion_pytorch_model.bin")
    assert_same(load(converter.safe_path(folder)), load(safe.path))
    assert converter.safe_path(safe.path) == safe.path


def test_a_changed_folder_is_converted_anew_and_the_old_goes(
    safe: Written, converter: Converter, tmp_path: Path
) -> None:
    folder = older(safe, tmp_path, pickled)
    first = converter.safe_path(folder)
    file = folder / "vae" / "diffusion_pytorch_model.bin"
    torch.save({key: each * 2 for key, each in torch.load(file).items()}, file)
    second = converter.safe_path(folder)
    doubled = load(safe.path).vae.state_dict()["decoder.conv_in.weight"] * 2
    assert load(second).vae.state_dict()["decoder.conv_in.weight"].equal(doubled)
    assert not first.exists()


def test_a_pickle_that_was_made_to_harm_is_not_run(
    safe: Written, converter: Converter, tmp_path: Path
) -> None:
    folder = older(safe, tmp_path, pickled, "vae")
    trap = Raw(called("os", "mkdir", str(tmp_path / "canary")))
    torch_zip(folder / "vae" / "diffusion_pytorch_model.bin", {"a": trap})
    with pytest.raises(ModelUnreadable, match="made to harm"):
        converter.safe_path(folder)
    assert not (tmp_path / "canary").exists()


def test_a_missing_shard_is_named(safe: Written, converter: Converter, tmp_path: Path) -> None:
    folder = older(safe, tmp_path, halved, "unet")
    lost = folder / "unet" / "diffusion_pytorch_model-00002-of-00002.bin"
    lost.unlink()
    with pytest.raises(ModelUnreadable, match=f"unet/{lost.name} is missing"):
        converter.safe_path(folder)


def test_a_damaged_list_of_shards_is_named(
    safe: Written, converter: Converter, tmp_path: Path
) -> None:
    folder = older(safe, tmp_path, halved, "unet")
    index = folder / "unet" / "diffusion_pytorch_model.bin.index.json"
    index.write_text("[]", "utf-8")
    with pytest.raises(ModelUnreadable, match=index.name):
        converter.safe_path(folder)


def test_pickles_of_a_folder_count_for_its_size_and_hash(safe: Written, tmp_path: Path) -> None:
    folder = older(safe, tmp_path, pickled)
    pickles = sorted(folder.rglob("*.bin"))
    assert weight_files(folder) == pickles
    assert look(folder).size_bytes == sum(file.stat().st_size for file in pickles)
