"""Machines, recordings and tiny wheels for the launcher's tests."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from webui.launcher.machine import Machine
from webui.launcher.probe import RecordedProbe

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = Path(__file__).parent / "recordings"
# Nothing listens there, so that asking it fails at once
NOWHERE = "http://127.0.0.1:9/whl"


def recorded(name: str) -> RecordedProbe:
    """The machine of a recording."""
    return RecordedProbe.parse((RECORDINGS / f"{name}.txt").read_text("utf-8"))


def computer(system: str = "linux", arch: str = "x86_64", libc: str = "glibc 2.36") -> Machine:
    """A machine with an ordinary processor."""
    return Machine(
        system=system,
        arch=arch,
        release={"linux": "Debian 12", "windows": "Windows 11", "macos": "macOS 15.1"}[system],
        processor="Apple M2 Pro" if system == "macos" else "A processor",
        cores=8,
        memory_gb=16.0,
        python=(3, 11, 7),
        libc=libc if system == "linux" else "",
    )


def make_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], needs: str = ""
) -> None:
    """A wheel that pip takes: the files, and the least of metadata."""
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata = {
        f"{info}/METADATA": about + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents = {**files, **metadata}
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in contents.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"


APP = """\
import json, os, sys
names = ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "PYTHONPATH")
print(json.dumps([sys.prefix, sys.argv[1:], [os.environ.get(name) for name in names]]))
"""
TORCH = """\
class cuda:
    is_available = staticmethod(lambda: False)
xpu = cuda
class backends:
    mps = cuda
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A copy of the launcher with an app that only tells how it was started, and its wheels."""

    root: Path
    wheels: Path

    @property
    def site_packages(self) -> Path:
        """Where its packages are once it is set up."""
        return next((self.root / ".venv" / "lib").glob("python*/site-packages"))

    def environment(self, **changes: str) -> dict[str, str]:
        """Variables with which pip knows the wheels here and nothing else."""
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("PIP_", "GESSO_"))}
        own = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "TORCH_INDEX_URL": NOWHERE,
        }
        return clean | own | changes

    def command(self, *arguments: str) -> list[str]:
        """The launcher's command line here."""
        return [sys.executable, str(self.root / "launch.py"), *arguments]

    def launch(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the launcher to its end, both outputs in one."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )


def make_place(folder: Path) -> Place:
    """A copy of the launcher, not yet set up."""
    place = Place(root=folder / "program", wheels=folder / "wheels")
    place.wheels.mkdir()
    shutil.copytree(ROOT / "webui" / "launcher", place.root / "webui" / "launcher")
    shutil.copy(ROOT / "webui" / "__init__.py", place.root / "webui")
    shutil.copy(ROOT / "launch.py", place.root)
    (place.root / "app.py").write_text(APP)
    (place.root / "requirements.txt").write_text("easel==1.0\n")
    (place.root / "requirements-bare.txt").write_text("brush==4.0\n")
    (place.root / "requirements-test.txt").write_text("mirror==2.0\n")
    (place.root / "constraints.txt").write_text("easel==1.0\npalette==3.0\nmirror==2.0\n")
    make_wheel(place.wheels, "torch", "2.13.0", {"torch/__init__.py": TORCH})
    make_wheel(place.wheels, "easel", "1.0", {"easel/__init__.py": "", "easel/legs.py": "n = 3\n"})
    make_wheel(place.wheels, "mirror", "2.0", {"mirror.py": ""})
    make_wheel(place.wheels, "brush", "4.0", {"brush.py": ""}, needs="no-such-package")
    return place


@pytest.fixture(scope="session")
def ready_place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """A place that was set up, and what the launcher said while doing so. Leave it as it is."""
    place = make_place(tmp_path_factory.mktemp("ready"))
    done = place.launch("--setup-only")
    assert done.returncode == 0, done.stdout
    return place, done.stdout


@pytest.fixture
def place(ready_place: tuple[Place, str], tmp_path: Path) -> Place:
    """A copy of a place that was set up, moved to a folder of its own, for the test to break."""
    source, _ = ready_place
    copy = Place(root=tmp_path / "program", wheels=tmp_path / "wheels")
    shutil.copytree(source.wheels, copy.wheels)
    shutil.copytree(source.root, copy.root, symlinks=True)
    assert copy.launch("--setup-only").returncode == 0
    return copy
