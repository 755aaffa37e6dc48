"""Files made to harm: none runs, none is taken for a model, and refusing one is cheap."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.catalog.hostile_corpus import called, write_corpus
from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind
from webui.families import load_families

if TYPE_CHECKING:
    from webui.families.components import Components

ROOT: Final = Path(__file__).parents[2]
STARTER: Final = ROOT / "models" / "starter"
FULL: Final = 200
MOST_S: Final = 2.0
MOST_MB: Final = 500


GGUF: Final = tuple(
    f"others/{name}"
    for name in ("many.gguf", "entries.gguf", "text.gguf", "version.safetensors", "cut.ckpt")
)


def read_all(folder: Path) -> dict[str, Any]:
    """What a process says that reads all files below a folder by every door."""
    command = [sys.executable, "-m", "tests.catalog.hostile_reader", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def write_some(folder: Path, canary: Path, every: int) -> int:
    """How many files of the corpus were left in the folder."""
    files = write_corpus(folder, canary)
    for number, path in enumerate(files):
        if number % every:
            path.unlink()
    return -(-len(files) // every)


def check_refused(files: Mapping[str, Mapping[str, Any]]) -> None:
    for path, said in files.items():
        assert not said["kind"], path
        assert "can't be used: " in said["problem"], path
        assert "can't be used: " in said["loading"], path
        is_no_pickle = "/headers/" in path or path.endswith(GGUF)
        assert is_no_pickle or "can't be used: " in said["conversion"], path


def test_hostile_files_are_refused_and_run_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    count = write_some(tmp_path / "models", canary, 6)
    found = read_all(tmp_path / "models")
    assert len(found["files"]) == count >= 40
    check_refused(found["files"])
    assert not canary.exists()
    assert not list((tmp_path / "converted").rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_hostile_file_is_refused_fast_and_in_little_memory(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    count = write_some(tmp_path / "models", canary, 1)
    found = read_all(tmp_path / "models")
    assert len(found["files"]) == count >= FULL
    check_refused(found["files"])
    assert not canary.exists()
    slowest = max(max(said["look_s"], said["use_s"]) for said in found["files"].values())
    assert slowest <= MOST_S  # seconds of a processor, whatever else the machine does
    assert found["peak_mb"] <= MOST_MB
    assert found["child_peak_mb"] <= MOST_MB


def test_the_corpus_would_work_where_it_is_let(tmp_path: Path) -> None:
    program = b"\x80\x02" + called("os", "mkdir", str(tmp_path / "canary")) + b"."
    pickle.loads(program)
    assert (tmp_path / "canary").exists()


KERNELS: Final = {"_attn_implementation": "x/kernels", "attn_implementation": "x/kernels"}
AUTO: Final = {"auto_map": {"AutoModel": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A diffusers folder of a real model, beside code that makes a canary when it is imported."""
    target = tmp_path / "models" / "nice"
    shutil.copytree(STARTER, target)
    code = f"import os\nos.mkdir({str(tmp_path / 'canary')!r})\n\nclass Evil: pass\n"
    for place in ("", "unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        for name in ("pipeline.py", "evil.py", "modeling.py", "__init__.py"):
            (target / place / name).write_text(code, "utf-8")
    yield target
    assert not (tmp_path / "canary").exists()


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


def load(folder: Path) -> Components:
    """By the way that the engine goes: the family of the starter."""
    import torch

    from webui.families.components import Placement

    place = Placement(device=torch.device("cpu"), dtype=torch.float32)
    family = next(family for family in load_families() if family.id == "sd15")
    return family.load(folder, place, {})


@pytest.mark.torch
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("text_encoder/config.json", {**AUTO, **KERNELS, "trust_remote_code": True}),
        ("unet/config.json", {**AUTO, "_class_name": "evil.Evil", "_diffusers_version": "9"}),
        ("vae/config.json", {**AUTO, "quantization_config": {"quant_method": "evil"}}),
        ("tokenizer/tokenizer_config.json", {**AUTO, "tokenizer_class": "Evil"}),
        ("scheduler/scheduler_config.json", {**AUTO, "_class_name": "evil.Evil"}),
    ],
)
def test_code_beside_a_model_is_never_imported(
    folder: Path, file: str, changes: Mapping[str, object]
) -> None:
    change(folder / file, **changes)
    assert load(folder).text_encoders.keys() == {"text_encoder"}


@pytest.mark.parametrize(
    "index",
    [
        {"_class_name": ["pipeline", "Evil"]},
        {"_class_name": "Evil", "custom_pipeline": "pipeline.py"},
        {"unet": ["evil", "Evil"]},
        {"vae": ["modeling", "Evil"], "text_encoder": ["evil", "Evil"]},
        {"_class_name": "DiffusionPipeline", "trust_remote_code": True, **AUTO},
    ],
)
def test_a_folder_of_classes_of_its_own_is_no_model(
    folder: Path, tmp_path: Path, index: Mapping[str, object]
) -> None:
    change(folder / "model_index.json", **index)
    catalog = Catalog(tmp_path / "models", tmp_path / "models.sqlite", load_families())
    catalog.refresh()
    assert [model.id for model in catalog.models(ModelKind.CHECKPOINT)] == ["starter"]
    assert [problem.name for problem in catalog.problems()] == ["nice"]
    catalog.close()


@pytest.mark.torch
def test_pickled_weights_in_a_folder_are_not_opened(folder: Path, tmp_path: Path) -> None:
    from webui.core.errors import ModelUnreadable

    program = b"\x80\x02" + called("os", "mkdir", str(tmp_path / "canary")) + b"."
    for weights in (folder / "unet").glob("*.safetensors"):
        os.truncate(weights, 0)
        weights.write_bytes(program)
        weights.with_suffix(".bin").write_bytes(program)
    with pytest.raises(ModelUnreadable):
        load(folder)
