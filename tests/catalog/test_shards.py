"""Models in several files that lie side by side, outside of a diffusers folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalog.test_parts import Shapes, decoder, language, t5
from tests.model_files import safetensors
from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind
from webui.families import load_families

SD15 = Path(__file__).parents[1] / "families" / "sd15_header.json"
FLUX: Shapes = {
    "double_blocks.0.img_mod.lin.weight": [18432, 3072],
    "single_blocks.0.linear1.weight": [21504, 3072],
    "img_in.weight": [3072, 64],
    "final_layer.linear.weight": [64, 3072],
    "vector_in.in_layer.weight": [3072, 768],
    "guidance_in.in_layer.weight": [3072, 256],
}


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


def write_shards(folder: Path, stem: str, shapes: Shapes, total: int = 3) -> list[Path]:
    """A model with these tensors in several files."""
    keys = list(shapes)
    return [
        safetensors(
            folder / f"{stem}-{number + 1:05}-of-{total:05}.safetensors",
            {key: shapes[key] for key in keys[number::total]},
        )
        for number in range(total)
    ]


def test_several_files_are_one_model(catalog: Catalog, folder: Path) -> None:
    files = write_shards(folder / "diffusion_models", "flux1-dev", FLUX)
    catalog.refresh()
    (model,) = catalog.models()
    assert (model.name, model.family, model.variant) == ("flux1-dev", "flux", "dev")
    assert model.size_bytes == sum(file.stat().st_size for file in files)
    assert model.missing == ("clip_l", "t5xxl", "vae")
    assert not catalog.problems()


def test_a_text_encoder_may_be_in_several_files(catalog: Catalog, folder: Path) -> None:
    biases: Shapes = {"self_attn.q_proj.bias": [3584]}
    write_shards(folder / "text_encoders" / "Qwen", "model", language(152064, 3584, biases))
    catalog.refresh()
    (found,) = catalog.models(ModelKind.TEXT_ENCODER)
    assert (found.name, found.variant) == ("Qwen", "qwen25vl")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_missing_file_is_named_until_it_comes(
    number: int, catalog: Catalog, folder: Path
) -> None:
    lost = write_shards(folder, "flux1-dev", FLUX)[number - 1]
    kept = lost.read_bytes()
    lost.unlink()
    catalog.refresh()
    (problem,) = catalog.problems()
    assert not catalog.models()
    assert f"{lost.name} is missing" in problem.why
    lost.write_bytes(kept)
    catalog.refresh()
    assert [model.name for model in catalog.models()] == ["flux1-dev"]
    assert not catalog.problems()


def test_its_hash_is_that_of_all_files(catalog: Catalog, folder: Path) -> None:
    write_shards(folder, "one", t5(8))
    (last,) = folder.glob("*00003-of-00003*")
    found = catalog.hashes.compute(folder / "one-00001-of-00003.safetensors")
    last.write_bytes(last.read_bytes()[:-1] + b"x")
    assert catalog.hashes.compute(folder / "one-00001-of-00003.safetensors") != found


def test_kinds_that_are_never_so_large_are_refused(catalog: Catalog, folder: Path) -> None:
    shapes = {key: list(shape) for key, shape in json.loads(SD15.read_text("utf-8")).items()}
    write_shards(folder, "sd15", shapes)
    write_shards(folder, "vae", decoder(16))
    catalog.refresh()
    assert not catalog.models()
    assert ["one file" in problem.why for problem in catalog.problems()] == [True, True]


def test_a_name_that_only_looks_so_is_a_name(catalog: Catalog, folder: Path) -> None:
    safetensors(folder / "vae-00007-of-00003.safetensors", decoder(16))
    catalog.refresh()
    assert [vae.name for vae in catalog.models(ModelKind.VAE)] == ["vae-00007-of-00003"]
