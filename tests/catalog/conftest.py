"""A catalog of a folder that nothing is in yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.catalog.catalog import Catalog
from webui.families import load_families


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where its models lie; not there yet."""
    return tmp_path / "models"


@pytest.fixture
def catalog(folder: Path, tmp_path: Path) -> Iterator[Catalog]:
    """It has looked at nothing yet."""
    made = Catalog(folder, tmp_path / "models.sqlite", load_families())
    yield made
    made.close()
