"""Texts that are made to be slow to read: none of them may hold the server up."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.api.people import Visitor, gate_of_people
from tests.conftest import make_studio
from tests.gate.site import serving
from webui.api.build import build_api

LONG = 19_900
"""Nearly as long as a prompt may be. Where the time grows with the square of the length, such texts
take from many seconds to hours, which the clients of these tests don't wait for."""


@pytest.fixture(scope="module")
def visitors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, Visitor]]:
    """An artist and a viewer."""
    studio = make_studio(tmp_path_factory.mktemp("texts"))
    studio.start()
    with serving(gate_of_people(build_api(studio, None))) as site:
        yield Visitor(site=site, name="ann"), Visitor(site=site, name="vic")
    studio.close()


@pytest.mark.parametrize(
    "prompt",
    [
        "a" + " " * LONG + "b",
        "a AND b" + " " * LONG + ":",
        " " * LONG + "BREAK",
        "(a:" + "1" * LONG + "x)",
        "[a:" + "1" * LONG + "x]",
        "{" + "1" * LONG + "|b}",
        "{" + "1" * LONG + "$$a|b}",
        "{9999$$" + "|" * 9999 + "}",
        "<lora:" * (LONG // 6),
        "[a|b]" * (LONG // 5),
    ],
    ids=lambda prompt: f"{prompt[:8]}",
)
def test_a_prompt_is_read(visitors: tuple[Visitor, Visitor], prompt: str) -> None:
    _, viewer = visitors
    assert viewer.ask("POST", "/api/v1/prompt", {"prompt": prompt}).status == 200


def test_the_name_of_a_model_is_looked_for(visitors: tuple[Visitor, Visitor]) -> None:
    artist, _ = visitors
    options = {"sd_model_checkpoint": "a" + " " * 500_000 + "["}
    assert artist.ask("POST", "/sdapi/v1/options", options).status == 500


def test_the_lines_of_a_plan_are_read(visitors: tuple[Visitor, Visitor]) -> None:
    artist, _ = visitors
    text = f'--styles "a{" " * 200_000}b"'
    plan = {"kind": "lines", "request": {}, "options": {"text": text}}
    assert artist.ask("POST", "/api/v1/plans", plan).status == 422


def test_an_infotext_is_read(visitors: tuple[Visitor, Visitor]) -> None:
    _, viewer = visitors
    text = f"x\nSteps: 2, Seed: 1, Size: 64x64, Refiner: a{' ' * 99_000}b"
    assert viewer.ask("POST", "/api/v1/read-text", {"text": text[:100_000]}).status == 200


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        ("NovelAI", {"steps": 20, "prompt": "{" * 200_000}),
        ("NovelAI", {"steps": 20, "prompt": "{" * 50_000 + "a" + "}" * 50_000}),
        (
            "Fooocus",
            {"base_model": "a", "sampler": "euler", "resolution": " " * 200_000},
        ),
    ],
)
def test_what_another_program_wrote_is_read(
    visitors: tuple[Visitor, Visitor], generator: str, words: dict[str, object], tmp_path: Path
) -> None:
    texts, file = PngInfo(), io.BytesIO()
    if generator == "NovelAI":
        texts.add_text("Software", generator)
        texts.add_text("Comment", json.dumps(words))
    else:
        texts.add_text("fooocus_scheme", "fooocus")
        texts.add_text("parameters", json.dumps(words))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=texts)
    _, viewer = visitors
    told = json.loads(viewer.ask("POST", "/api/v1/read-picture", file.getvalue()).body)
    assert told["generator"] == generator
