"""When a finished set-up still holds, and what is a reason to do it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from webui.launcher.stamp import Facts, Stamp, read_stamp, why_set_up, write_stamp

STAMP = Stamp(
    requirements="r1",
    tests="t1",
    root="/home/ann/gesso",
    base="/usr/bin/python3.11",
    hardware="h1",
    choice="c1",
    build="cpu",
    source="",
    device="the processor",
    environment={"A": "1"},
    packages=["gradio", "torch"],
)
FACTS = Facts(
    requirements="r1",
    tests="",
    root="/home/ann/gesso",
    base="/usr/bin/python3.11",
    hardware="h1",
    choice="c1",
    packages=("gradio", "torch", "an-extension-needs-it"),
)


@pytest.mark.parametrize("tests", ["", "t1"])
def test_nothing_changed_nothing_to_do(tests: str) -> None:
    assert why_set_up(STAMP, replace(FACTS, tests=tests)) == ""


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(FACTS, is_interrupted=True), "did not finish"),
        (replace(FACTS, base=""), "gone"),
        (replace(FACTS, base="/usr/bin/python3.12"), "Python of .venv changed"),
        (replace(FACTS, root="/mnt/gesso"), "moved"),
        (replace(FACTS, requirements="r2"), "requirements changed"),
        (replace(FACTS, missing=("gradio",)), "missing from .venv: gradio"),
        (replace(FACTS, packages=("torch",)), "missing from .venv: gradio"),
        (replace(FACTS, hardware="h2"), "graphics card or driver changed"),
        (replace(FACTS, choice="c2"), "other device"),
        (replace(FACTS, tests="t2"), "tests need"),
    ],
)
def test_change_is_named(facts: Facts, reason: str) -> None:
    assert reason in why_set_up(STAMP, facts)


def test_without_stamp_it_is_the_first_start() -> None:
    assert why_set_up(None, FACTS) == "first start"


def test_stamp_survives_its_file(tmp_path: Path) -> None:
    write_stamp(tmp_path / "stamp.json", STAMP)
    assert read_stamp(tmp_path / "stamp.json") == STAMP
    assert [path.name for path in tmp_path.iterdir()] == ["stamp.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"unknown": 1}'])
def test_unusable_stamp_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stamp.json").write_text(text)
    assert read_stamp(tmp_path / "stamp.json") is None
