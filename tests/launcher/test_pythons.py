"""A Python that doesn't suit says so, or goes on with one that does."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launcher.conftest import ROOT
from webui.launcher.pythons import answers, candidates, explain, is_suitable

FIRST_FILES = ("launch.py", "webui/__init__.py", "webui/launcher/__init__.py")
OLD_SYNTAX = (*FIRST_FILES, "webui/launcher/pythons.py")


@pytest.mark.parametrize(
    ("version", "pointer_bytes", "suits"),
    [
        ((3, 10), 8, False),
        ((3, 11), 8, True),
        ((3, 14), 8, True),
        ((3, 15), 8, False),
        ((3, 12), 4, False),
    ],
)
def test_versions(version: tuple[int, int], pointer_bytes: int, suits: bool) -> None:
    assert is_suitable(version, pointer_bytes) is suits


@pytest.mark.parametrize("name", OLD_SYNTAX)
def test_first_files_are_read_by_python_3_6(name: str) -> None:
    ast.parse((ROOT / name).read_text("utf-8"), feature_version=(3, 6))


def old_pythons() -> list[Path]:
    """Unsuitable Pythons that happen to be on this machine."""
    by_pyenv = [f".pyenv/versions/{v}/bin/python" for v in ("3.6.*", "3.[7-9].*", "3.10.*")]
    found = [path for pattern in by_pyenv for path in Path.home().glob(pattern)]
    return [*found, *Path("/usr/bin").glob("python3.[6-9]"), *Path("/usr/bin").glob("python3.10")]


@pytest.mark.parametrize("python", old_pythons(), ids=lambda path: path.parent.parent.name)
def test_old_python_says_what_to_do(python: Path) -> None:
    done = subprocess.run(
        [python, ROOT / "launch.py", "--port", "1"],
        env={"PATH": "/nowhere", "HOME": "/nowhere"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 1
    assert "needs a 64-bit Python 3.11, 3.12 or 3.13" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("python", old_pythons(), ids=lambda path: path.parent.parent.name)
def test_old_python_goes_on_with_another(python: Path, tmp_path: Path) -> None:
    (tmp_path / "python3.11").symlink_to(sys.executable)
    done = subprocess.run(
        [python, ROOT / "launch.py", "doctor"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0
    assert "Using python3.11" in done.stdout
    assert "Machine" in done.stdout


def test_this_python_answers_and_nonsense_does_not(tmp_path: Path) -> None:
    assert answers([sys.executable])
    assert not answers([str(tmp_path / "none")])
    assert not answers(["/bin/echo", "hello"])


def test_where_pythons_are_looked_for(tmp_path: Path) -> None:
    for version in ("3.11.7", "3.12.1", "3.9.18"):
        (tmp_path / ".pyenv" / "versions" / version / "bin").mkdir(parents=True)
        (tmp_path / ".pyenv" / "versions" / version / "bin" / "python").touch()
    linux = candidates("linux", str(tmp_path), {})
    assert linux[:3] == [["python3.13"], ["python3.12"], ["python3.11"]]
    by_pyenv = [Path(c[0]).parts[-3] for c in linux if ".pyenv" in c[0]]
    assert by_pyenv == ["3.12.1", "3.11.7"]
    windows = candidates("win32", "", {"LOCALAPPDATA": r"C:\Users\ann\AppData\Local"})
    assert ["py", "-3.13"] in windows
    assert [r"C:\Users\ann\AppData\Local\Programs\Python\Python312\python.exe"] in windows
    assert ["/opt/homebrew/bin/python3.12"] in candidates("darwin", "", {})


@pytest.mark.parametrize(
    ("system", "way"), [("win32", "winget"), ("darwin", "brew"), ("linux", "python3.11-venv")]
)
def test_way_out_for_each_system(system: str, way: str) -> None:
    text = explain((3, 9), 4, system)
    assert "3.9 (32-bit)" in text
    assert way in text
