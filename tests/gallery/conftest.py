"""A gallery of its own for each test, and a small disk that can be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gallery.album import open_gallery
from webui.gallery.gallery import Gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """An empty gallery below `tmp_path`."""
    opened = open_gallery(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB, mounted at the folder."""
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine allows no mounts")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
