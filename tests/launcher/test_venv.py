"""Environments: where things are on each system, what is wrong with one, and mending it."""

from __future__ import annotations

from pathlib import Path

import pytest

from webui.launcher.venv import Venv, clean_environment, explain_failed_venv, relocate, works

DEBIAN = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.11-venv

Failing command: /home/ann/gesso/.venv/bin/python3
"""


def made_for(folder: Path, version: str, *, is_windows: bool = False) -> Venv:
    """An environment folder with nothing but its configuration."""
    folder.mkdir()
    home = folder.parent / "base"
    (folder / "pyvenv.cfg").write_text(f"home = {home}\nversion = {version}\n")
    return Venv(folder=folder, is_windows=is_windows)


def test_places_on_windows(tmp_path: Path) -> None:
    venv = made_for(tmp_path / ".venv", "3.12.1", is_windows=True)
    assert venv.python == tmp_path / ".venv" / "Scripts" / "python.exe"
    assert venv.site_packages == tmp_path / ".venv" / "Lib" / "site-packages"


def test_packages_are_those_of_its_own_python(tmp_path: Path) -> None:
    venv = made_for(tmp_path / ".venv", "3.12.1")
    for version in ("3.11", "3.12"):
        (venv.folder / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    assert venv.version() == "3.12"
    assert venv.site_packages.parts[-2] == "python3.12"


def test_windows_base_that_is_gone_is_noticed(tmp_path: Path) -> None:
    venv = made_for(tmp_path / ".venv", "3.12.1", is_windows=True)
    venv.scripts.mkdir()
    venv.python.touch()
    assert venv.base() == ""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "python.exe").touch()
    assert venv.base() == str(tmp_path / "base" / "python.exe")


def test_folder_that_is_no_environment(tmp_path: Path) -> None:
    venv = Venv(folder=tmp_path / "none")
    assert (venv.version(), venv.base(), works(venv)) == ("", "", False)


@pytest.mark.parametrize(
    ("output", "way_out"),
    [
        (DEBIAN, "sudo apt install python3.11-venv"),
        ("/usr/bin/python3: No module named venv", "sudo apt install python3.11-venv"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Traceback\nValueError: odd", "ValueError: odd"),
        ("", "no reason given"),
    ],
)
def test_failed_environment_is_explained(output: str, way_out: str) -> None:
    assert way_out in explain_failed_venv(output, "3.11").way_out


def test_scripts_find_their_python_after_a_move(tmp_path: Path) -> None:
    venv = made_for(tmp_path / ".venv", "3.11.7")
    venv.scripts.mkdir()
    (venv.scripts / "uvicorn").write_text("#!/old/gesso/.venv/bin/python\nprint('/old/gesso')\n")
    (venv.scripts / "ruff").write_bytes(b"\x7fELF\x00/old/gesso/.venv")
    (venv.scripts / "python").symlink_to("/usr/bin/python3")
    relocate(venv, "/old/gesso/.venv")
    script = (venv.scripts / "uvicorn").read_text()
    assert script == f"#!{venv.folder}/bin/python\nprint('/old/gesso')\n"
    assert (venv.scripts / "ruff").read_bytes() == b"\x7fELF\x00/old/gesso/.venv"


def test_variables_of_an_outer_python_stay_outside() -> None:
    given = {"PYTHONPATH": "/x", "PYTHONHOME": "/y", "PIP_USER": "1", "PIP_INDEX_URL": "z"}
    assert clean_environment(given) == {"PIP_INDEX_URL": "z"}
