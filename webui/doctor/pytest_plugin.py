"""Fixtures for the tests of an extension: `python launch.py ext test FOLDER`.

| fixture | what it is |
|---|---|
| `extension` | the extension, loaded and switched on |
| `studio` | a running studio whose engine paints test patterns, with only this extension |
| `starter_studio` | the same with the real engine and the model that comes with Gesso |
| `make` | `make(amount=1.0, prompt="a house")`: the pictures of a job, from inputs and fields |
| `make_real` | the same on the real engine |
| `page` | the page as Gradio built it, as JSON: its controls by their labels |
| `owner`, `guest` | clients of the server: the owner on this machine, and somebody from outside |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from webui.core.engine import Engine
from webui.core.request import GenerationRequest, Mode
from webui.doctor.rig import Rig
from webui.engine.fake import FakeEngine
from webui.engine.process import EngineProcess
from webui.extend.extension import Extension
from webui.extend.manifest import FILE
from webui.studio import Studio

Make = Callable[..., list[Image.Image]]


@pytest.fixture
def extension_folder(request: pytest.FixtureRequest) -> Path:
    """The nearest folder above the test that holds an extension."""
    for folder in request.path.parents:
        if (folder / FILE).is_file():
            return folder
    pytest.fail(f"There is no {FILE} above {request.path}.")


@pytest.fixture
def rig(extension_folder: Path, tmp_path: Path) -> Iterator[Rig]:
    """The extension in a studio with the fake engine."""
    yield from _running(extension_folder, tmp_path / "fake", FakeEngine("fake"))


@pytest.fixture
def real_rig(extension_folder: Path, tmp_path: Path) -> Iterator[Rig]:
    """The extension in a studio with the real engine, on the processor."""
    options = {"use_cpu": True, "threads": 1}
    engine = EngineProcess("main", "webui.engine.local:create", options)
    yield from _running(extension_folder, tmp_path / "real", engine)


@pytest.fixture
def extension(rig: Rig) -> Extension:
    """The extension, switched on."""
    return rig.extension


@pytest.fixture
def studio(rig: Rig) -> Studio:
    """The running studio."""
    return rig.studio


@pytest.fixture
def starter_studio(real_rig: Rig) -> Studio:
    """The running studio with the real engine."""
    return real_rig.studio


@pytest.fixture
def make(rig: Rig) -> Make:
    """Makes pictures with test patterns."""
    return _maker(rig)


@pytest.fixture
def make_real(real_rig: Rig) -> Make:
    """Makes pictures with the starter model."""
    return _maker(real_rig)


@pytest.fixture
def page(rig: Rig) -> dict[str, Any]:
    """What the browser is told of the page: `page["components"]`."""
    from webui.ui.build import build_page

    config: dict[str, Any] = build_page(rig.studio).get_config_file()
    return config


@pytest.fixture
def owner(rig: Rig) -> Any:
    """Asks as the owner, on this machine."""
    from webui.doctor.visitors import client_of

    return client_of(rig.studio, is_owner=True)


@pytest.fixture
def guest(rig: Rig) -> Any:
    """Asks as somebody with an artist's account."""
    from webui.doctor.visitors import client_of

    return client_of(rig.studio, is_owner=False)


def _running(folder: Path, place: Path, engine: Engine) -> Iterator[Rig]:
    rig = Rig(folder, place, engine)
    rig.start()
    rig.switch_on()
    yield rig
    rig.close()


def _maker(rig: Rig) -> Make:
    fields = {field.name for field in dataclasses.fields(GenerationRequest)}

    def make(mode: Mode = Mode.TXT2IMG, **values: Any) -> list[Image.Image]:
        asked = {name: value for name, value in values.items() if name in fields}
        inputs = {name: value for name, value in values.items() if name not in fields}
        if inputs:
            asked["extensions"] = {rig.extension.id: inputs}
        return rig.pictures(rig.run(rig.request(mode, **asked)))

    return make
