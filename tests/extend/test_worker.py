"""Extensions in a process of their own: what they are asked, and what may go wrong there."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import zipfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest
from PIL import Image

from webui.core.errors import ExtensionFailed
from webui.core.recipe import ModelRef, Recipe
from webui.extend.data import Context, ImageItem, StopJob, Words
from webui.extend.finding import look_at
from webui.extend.inputs import named
from webui.extend.packages import POINTER, VARIABLE
from webui.extend.worker import environment
from webui.extend.worker.client import Worker, WorkerFailed, command_of
from webui.extend.worker.parts import WorkerParts, start_worker

MANIFEST = """
id = "far"
name = "Far"
run = "worker"

[[inputs]]
kind = "slider"
id = "strength"
label = "Strength"
"""
CODE = """
import os, sys
from dataclasses import replace
from PIL import ImageOps
from webui.extend import Preprocessor, StopJob, hook

print("this must not reach the pipe")


@hook
def image_post(item, inputs):
    return ImageOps.invert(item.image) if inputs.strength else None


@hook
def prompt(words, ctx):
    ctx.progress(0.5, "half")
    (ctx.data / "seen.txt").write_text(f"{ctx.job} {ctx.role.value} {ctx.settings['tone']}")
    return replace(words, prompt=f"{words.prompt}, {os.getpid()}")


@hook
def job_start(request):
    if request.prompt == "stop":
        raise StopJob("enough")
    if request.prompt == "die":
        os._exit(3)
    raise ValueError("broken")


@hook
def register_preprocessors(register):
    register(Preprocessor(id="grey", label="Grey", run=lambda image, inputs: image.convert("L")))
"""


def recipe() -> Recipe:
    return Recipe(
        prompt="a", negative_prompt="", model=ModelRef(id="m", name="m", family="sd15", hash=""),
        width=64, height=64, seed=1, sampler="euler", schedule="uniform", steps=1,
        guidance_scale=7.0, clip_skip=1, version="0",
    )  # fmt: skip


def written(folder: Path, manifest: str = MANIFEST, code: str = CODE) -> Path:
    folder.mkdir(parents=True)
    (folder / "extension.toml").write_text(manifest)
    (folder / "__init__.py").write_text(dedent(code))
    return folder


Start = Callable[[Path], WorkerParts]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[WorkerParts] = []

    def run(folder: Path) -> WorkerParts:
        started.append(start_worker(look_at(folder)))
        return started[-1]

    yield run
    for each in started:
        each.worker.close()


def context(data: Path, **more: object) -> Context:
    about = {"extension": "far", "settings": {"tone": "warm"}, "data": data, "job": "j1"}
    return Context(**{**about, "log": logging.getLogger("far"), **more})


def test_hooks_run_in_another_process(start: Start, tmp_path: Path) -> None:
    parts = start(written(tmp_path / "far"))
    notes: list[str] = []
    ctx = context(tmp_path / "data", progress=lambda fraction, note: notes.append(note))
    words = Words(prompt="a house", negative_prompt="", seed=1, index=0)
    changed = parts.hooks["prompt"]({"words": words, "ctx": ctx, "inputs": named({})})
    pid = int(changed.prompt.removeprefix("a house, "))
    assert pid != os.getpid()
    assert notes == ["half"]
    assert (tmp_path / "data" / "seen.txt").read_text() == "j1 owner warm"


def test_pictures_come_back_changed_or_not_at_all(start: Start, tmp_path: Path) -> None:
    parts = start(written(tmp_path / "far"))
    item = ImageItem(image=Image.new("RGB", (3, 2), (255, 0, 10)), recipe=recipe(), index=0)
    image_post = parts.hooks["image_post"]
    inverted = image_post({"item": item, "inputs": named({"strength": 1.0})})
    assert inverted.getpixel((2, 1)) == (0, 255, 245)
    assert image_post({"item": item, "inputs": named({"strength": 0})}) is None


def test_what_it_raises_is_told_apart(start: Start, tmp_path: Path) -> None:
    from webui.core.request import GenerationRequest

    job_start = start(written(tmp_path / "far")).hooks["job_start"]
    with pytest.raises(StopJob, match="enough"):
        job_start({"request": GenerationRequest(prompt="stop")})
    with pytest.raises(WorkerFailed, match="ValueError: broken"):
        job_start({"request": GenerationRequest(prompt="other")})


def test_a_worker_that_died_starts_again(start: Start, tmp_path: Path) -> None:
    from webui.core.request import GenerationRequest

    parts = start(written(tmp_path / "far"))
    with pytest.raises(ExtensionFailed, match="ended unexpectedly"):
        parts.hooks["job_start"]({"request": GenerationRequest(prompt="die")})
    with pytest.raises(StopJob):
        parts.hooks["job_start"]({"request": GenerationRequest(prompt="stop")})


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    folder = written(tmp_path / "far", code="""
        import threading
        from webui.extend import hook

        @hook
        def prompt(words):
            threading.Event().wait()
    """)  # fmt: skip
    worker = Worker("far", command_of(None, folder, "far"), answer_s=0.5)
    with pytest.raises(ExtensionFailed, match=r"did not answer within 0\.5 seconds"):
        worker.ask("prompt", {"words": Words(prompt="", negative_prompt="", seed=1, index=0)})
    worker.close()


def test_added_preprocessors_ask_the_worker(start: Start, tmp_path: Path) -> None:
    found = []
    start(written(tmp_path / "far")).hooks["register_preprocessors"]({"register": found.append})
    assert [(each.id, each.label) for each in found] == [("grey", "Grey")]
    assert found[0].run(Image.new("RGB", (2, 2), "red"), {}).mode == "L"


def test_inputs_come_from_the_manifest(start: Start, tmp_path: Path) -> None:
    parts = start(written(tmp_path / "far"))
    assert [(each.id, each.label) for each in parts.inputs] == [("strength", "Strength")]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('no')", "no"),
        ("import not_there", "not_there"),
        (
            "from webui.extend import hook\n@hook\ndef register_tabs(register): pass",
            "has no place",
        ),
    ],
)
def test_code_that_can_not_be_loaded_is_refused(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises((ExtensionFailed, WorkerFailed), match=words):
        start_worker(look_at(written(tmp_path / "far", code=code)))


def test_missing_packages_are_not_fetched_by_themselves(tmp_path: Path) -> None:
    manifest = MANIFEST.replace('run = "worker"', 'run = "worker"\ndependencies = ["tiny==9"]')
    with pytest.raises(ExtensionFailed, match="are not installed"):
        start_worker(look_at(written(tmp_path / "far", manifest)))


@pytest.mark.slow
def test_an_environment_has_packages_of_its_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Pillow than the program's could not be loaded beside it; a package that says so is
    enough here."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "packages" / POINTER))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("annotated-types", "pillow", "pluggy", "pydantic", "pydantic-core",
                 "typing-extensions", "typing-inspection"):  # fmt: skip
        _repacked(name, wheels)
    _tiny(wheels)
    environment.build("far", ["tiny==9"], ["--no-index", "--find-links", str(wheels)])
    manifest = MANIFEST.replace('run = "worker"', 'run = "worker"\ndependencies = ["tiny==9"]')
    code = """
        import sys, tiny
        from dataclasses import replace
        from webui.extend import hook

        @hook
        def prompt(words):
            return replace(words, prompt=f"{tiny.VERSION} {sys.prefix}")
    """
    parts = start(written(tmp_path / "far", manifest, code))
    words = Words(prompt="", negative_prompt="", seed=1, index=0)
    version, prefix = parts.hooks["prompt"]({"words": words}).prompt.split(" ", 1)
    assert version == "9"
    assert Path(prefix).is_relative_to(tmp_path)


def _repacked(name: str, folder: Path) -> None:
    """A wheel of what is installed here, so that the test needs no network."""
    found = metadata.distribution(name)
    tag = next(
        line.partition(": ")[2]
        for line in (found.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag: ")
    )
    stem = found.metadata["Name"].replace("-", "_")
    with zipfile.ZipFile(folder / f"{stem}-{found.version}-{tag}.whl", "w") as wheel:
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            if path.is_file() and ".." not in file.parts and "__pycache__" not in file.parts:
                wheel.write(path, str(file))


def _tiny(folder: Path) -> None:
    files = {
        "tiny.py": b"VERSION = 9\n",
        "tiny-9.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 9\n",
        "tiny-9.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    rows.append("tiny-9.dist-info/RECORD,,")
    with zipfile.ZipFile(folder / "tiny-9-py3-none-any.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr("tiny-9.dist-info/RECORD", "\n".join(rows) + "\n")
