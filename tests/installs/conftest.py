"""A house for each test; what it puts on sys.path is taken off again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installs.making import Content, House, as_it_was, make_house


@pytest.fixture
def as_before() -> Iterator[None]:
    """This process finds packages where it found them before."""
    with as_it_was():
        yield


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder of wheels: all that can be had."""
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


@pytest.fixture
def house(tmp_path: Path, links: Path, as_before: None) -> Iterator[House]:
    """Installing with a doctor that is content."""
    made = make_house(tmp_path / "house", links=links, doctor=Content())
    yield made
    made.installs.close()
