"""The environment `.venv`: where its parts are, making it, and telling whether it still works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from webui.launcher.errors import SetupError

# Variables by which an outer Python would leak into the environment
FOREIGN = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "__PYVENV_LAUNCHER__",
)


@dataclass(frozen=True, kw_only=True)
class Venv:
    """An environment folder, made or not."""

    folder: Path
    is_windows: bool = sys.platform == "win32"

    @property
    def scripts(self) -> Path:
        """Folder of the environment's programs."""
        return self.folder / ("Scripts" if self.is_windows else "bin")

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.scripts / ("python.exe" if self.is_windows else "python")

    @property
    def site_packages(self) -> Path:
        """Where packages are; a folder that doesn't exist when the environment isn't made."""
        if self.is_windows:
            return self.folder / "Lib" / "site-packages"
        found = sorted(self.folder.glob(f"lib/python{self.version() or '*'}/site-packages"))
        return found[0] if found else self.folder / "lib" / "site-packages"

    def config(self) -> dict[str, str]:
        """What pyvenv.cfg says; empty when it can't be read."""
        try:
            text = (self.folder / "pyvenv.cfg").read_text("utf-8")
        except OSError:
            return {}
        return dict(re.findall(r"^(\w+) *= *(.*?) *$", text, re.MULTILINE))

    def version(self) -> str:
        """Minor version of the Python it was made for ("3.11"), or ""."""
        return ".".join(self.config().get("version", "").split(".")[:2])

    def base(self) -> str:
        """The real Python behind it, or "" when that is gone."""
        if not self.python.exists():
            return ""
        if self.is_windows:
            home = Path(self.config().get("home", "")) / "python.exe"
            return str(home) if home.exists() else ""
        return str(self.python.resolve())


def clean_environment(environment: dict[str, str]) -> dict[str, str]:
    """Variables for a Python of ours, without those of an outer one."""
    return {name: value for name, value in environment.items() if name not in FOREIGN}


def works(venv: Venv) -> bool:
    """Whether its Python starts with the version it was made for and pip is there. Takes 0.3 s."""
    command = [str(venv.python), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=clean_environment(dict(os.environ)),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == venv.version() != ""


def make(venv: Venv, *, clear: bool) -> None:
    """Make the environment with the Python that runs this, or bring it up to date.

    Raises SetupError when that Python lacks what is needed for it.
    """
    if clear and venv.folder.exists():
        remove(venv.folder)
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run(
        [base, "-m", "venv", str(venv.folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=clean_environment(dict(os.environ)),
    )
    if done.returncode:
        raise explain_failed_venv(done.stdout, f"{sys.version_info[0]}.{sys.version_info[1]}")


def remove(folder: Path) -> None:
    """Delete an environment. Raises SetupError when a running program holds on to it."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise SetupError(
            f"The old environment {folder} can't be removed ({error.strerror}).",
            "Close every program that uses it (a running Gesso, an editor), then start again.",
        ) from error


def explain_failed_venv(output: str, version: str) -> SetupError:
    """Why an environment could not be made, from what `python -m venv` printed."""
    what = f"Python {version} can't make an environment."
    if "No space left" in output:
        return SetupError(what, "The disk is full. Free some space, then start again.")
    if "ensurepip" in output or "No module named venv" in output:
        return SetupError(
            f"{what} Its venv part is not installed.",
            f"On Debian or Ubuntu: sudo apt install python{version}-venv. Then start again.",
        )
    last = output.strip().splitlines()[-1] if output.strip() else "no reason given"
    return SetupError(what, f"It said: {last}")


def relocate(venv: Venv, old_folder: str) -> None:
    """Mend the scripts' first lines after a move; everything else finds its way by itself."""
    if venv.is_windows:
        return
    old = os.fsencode(old_folder)
    for path in venv.scripts.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"#!" + old):
            path.write_bytes(content.replace(old, os.fsencode(venv.folder), 1))


def unlink_pythons(venv: Venv) -> None:
    """Remove links to a Python that is gone, which `python -m venv` would leave as they are."""
    for path in venv.scripts.glob("python*"):
        if path.is_symlink():
            path.unlink()
