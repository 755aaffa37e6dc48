"""What is in an environment, and what is broken in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from webui.launcher.installed import damaged, installed, missing, read_pins


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two packages: easel with a module of 6 bytes and a script, palette without files."""
    for name, record in (
        ("easel-1.0+cu130", "easel.py,sha256=x,6\n../../../bin/easel,sha256=x,999\n"),
        ("My_Palette-3.0", "my_palette/__pycache__/a.pyc,,\n"),
    ):
        info = tmp_path / f"{name}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: x\n")
        (info / "RECORD").write_text(record)
    (tmp_path / "easel.py").write_text("n = 1\n")
    return tmp_path


def test_packages_by_their_compared_names(site: Path) -> None:
    assert installed(site) == {"easel": "1.0+cu130", "my-palette": "3.0"}
    assert installed(site / "nowhere") == {}


def test_pins_of_a_requirements_file() -> None:
    text = "# comment\nEasel==1.0  # why\nsd_parsers==0.6\nranged>=2\n\n"
    assert read_pins(text) == {"easel": "1.0", "sd-parsers": "0.6"}


@pytest.mark.parametrize(
    ("pins", "lacking"),
    [
        ({"easel": "1.0", "my-palette": "3.0"}, []),
        ({"easel": "1.1"}, ["easel"]),
        ({"mirror": "2.0"}, ["mirror"]),
    ],
)
def test_missing_packages(site: Path, pins: dict[str, str], lacking: list[str]) -> None:
    assert missing(pins, installed(site)) == lacking


def test_whole_packages_are_not_damaged(site: Path) -> None:
    assert damaged(site) == []


@pytest.mark.parametrize("content", [None, "n"])
def test_lost_or_cut_file_is_damage(site: Path, content: str | None) -> None:
    (site / "easel.py").unlink()
    if content is not None:
        (site / "easel.py").write_text(content)
    assert [path.name for path in damaged(site)] == ["easel-1.0+cu130.dist-info"]


@pytest.mark.parametrize("name", ["RECORD", "METADATA"])
def test_package_without_its_notes_is_damaged(site: Path, name: str) -> None:
    (site / "My_Palette-3.0.dist-info" / name).unlink()
    assert [path.name for path in damaged(site)] == ["My_Palette-3.0.dist-info"]
