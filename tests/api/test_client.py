"""The client that programs copy: it does what it says, and it fits the API's description."""

from __future__ import annotations

import ast
import importlib.util
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from tests.api.conftest import Client
from tests.conftest import png
from webui.api.build import build_api

FILE = Path(__file__).resolve().parents[2] / "docs" / "client" / "gesso_client.py"
SMALL: dict[str, Any] = {"width": 64, "height": 64}


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """The file, as a program imports it."""
    spec = importlib.util.spec_from_file_location("gesso_client", FILE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules[spec.name]


@pytest.fixture
def client(shared_client: Client) -> Client:
    """One studio for all tests here."""
    return shared_client


@pytest.fixture
def gesso(module: ModuleType, client: Client) -> Any:
    return module.Gesso(client.site.origin, key="any")


def test_a_program_makes_and_fetches_pictures(gesso: Any) -> None:
    job = gesso.make(prompt="a red apple", batch_count=2, **SMALL)
    assert [picture["index"] for picture in job["pictures"]] == [0, 1]
    image = Image.open(io.BytesIO(gesso.download(job["pictures"][0]["id"])))
    assert image.size == (64, 64)
    assert gesso.picture(job["pictures"][1]["id"])["request"]["prompt"] == "a red apple"
    assert gesso.jobs()[0]["id"] == job["id"]


def test_a_program_starts_from_a_picture_of_its_own(gesso: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    ids = {gesso.upload(png()), gesso.upload(tmp_path / "a.png")}
    (id,) = ids
    job = gesso.make(prompt="x", source={"image": id, "denoising_strength": 0.5})
    assert gesso.picture(job["pictures"][0]["id"])["mode"] == "img2img"


def test_a_program_looks_through_its_pictures(gesso: Any) -> None:
    gesso.make(prompt="a pear", batch_count=3, **SMALL)
    gesso.make(prompt="a plum", **SMALL)
    found = [picture["id"] for picture in gesso.pictures(page=2)]
    assert len(found) == len(set(found)) >= 4
    (plum,) = gesso.pictures("plum")
    gesso.trash(plum["id"])
    assert plum["id"] not in {picture["id"] for picture in gesso.pictures()}
    gesso.restore(plum["id"])
    assert plum["id"] in {picture["id"] for picture in gesso.pictures()}


def test_a_program_hears_what_happens_and_goes_on_after_a_break(gesso: Any) -> None:
    events = gesso.events()
    state = next(events)
    assert state.kind == "state"
    events.close()
    job = gesso.make(prompt="x", **SMALL)
    kinds = []
    for event in gesso.events(after=state.id):
        kinds.append(event.kind)
        if event.kind == "finished":
            assert event.data["job_id"] == job["id"]
            break
    assert kinds[0] == "resumed"
    assert kinds.count("finished") == kinds.count("picture_saved") == 1


def test_a_program_is_told_what_is_wrong(gesso: Any, module: ModuleType) -> None:
    with pytest.raises(module.GessoError) as raised:
        gesso.make(prompt="x", width=513)
    assert (raised.value.status, raised.value.field) == (422, "width")
    assert "Try 512 or 520" in str(raised.value)
    with pytest.raises(module.GessoError) as raised:
        gesso.job("../secret")
    assert raised.value.status == 404


def test_a_job_that_is_ended_is_no_success(module: ModuleType, slow_client: Client) -> None:
    gesso = module.Gesso(slow_client.site.origin)
    job = gesso.submit(prompt="x", sampling={"steps": 150}, **SMALL)
    with pytest.raises(TimeoutError):
        gesso.wait(job["id"], 0.2)
    gesso.cancel(job["id"])
    with pytest.raises(module.JobFailed, match="cancelled"):
        gesso.wait(job["id"])
    assert gesso.state()["waiting"] == ""


def asked_paths() -> set[tuple[str, str]]:
    """Verb and path of every request in the file."""
    return {
        (call.args[0].value.lower(), call.args[1].value)  # type: ignore[attr-defined]
        for call in ast.walk(ast.parse(FILE.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
        and str(call.args[1].value).startswith("/")
    }


def test_the_client_fits_the_description(client: Client, module: ModuleType) -> None:
    description = build_api(client.studio, None).openapi()
    asked = asked_paths()
    assert len(asked) >= 12
    known = {(verb, path) for path, verbs in description["paths"].items() for verb in verbs}
    assert asked - known == set()
    schemas = description["components"]["schemas"]
    for kind, name in (("Job", "JobView"), ("Picture", "PictureView"), ("Model", "ModelView")):
        fields = set(getattr(module, kind).__annotations__)
        assert fields - set(schemas[name]["properties"]) == set()
