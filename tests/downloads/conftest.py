"""Downloads from servers on this machine into a catalog of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.downloads.source import Source, serving_files
from webui.catalog.catalog import Catalog
from webui.catalog.shelf import CatalogShelf
from webui.core.events import DownloadChanged
from webui.core.model import ModelFamily
from webui.downloads.download import Download, DownloadState, Options, Wish
from webui.downloads.downloads import Downloads, Surroundings
from webui.families import load_families


@dataclass
class Settings:
    """What a person set, which may change at any time."""

    options: Options


@dataclass
class Place:
    """A data folder with downloads, which can be ended and started again."""

    root: Path
    around: Surroundings
    catalog: Catalog
    settings: Settings
    told: list[DownloadChanged]
    downloads: Downloads = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.downloads = Downloads(self.around)
        self.downloads.start()

    @property
    def models(self) -> Path:
        return self.root / "models"

    def state(self, id: str, *states: DownloadState) -> Download:
        """The download once it is in one of these states."""

        def reached() -> Download | None:
            download, _ = self.downloads.get(id)
            return download if download.state in states else None

        return until(reached)

    def over(self, id: str) -> Download:
        return self.state(id, DownloadState.DONE, DownloadState.FAILED, DownloadState.PAUSED)

    def fetch(self, address: str, **wish: str) -> Download:
        """A download when it is over, one way or another."""
        return self.over(self.downloads.add(Wish(address=address, **wish)).id)

    def files(self) -> list[str]:
        """All files in the folder of models."""
        found = (path for path in self.models.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.models).as_posix() for path in found)

    def set(self, **options: int) -> None:
        self.settings.options = replace(self.settings.options, **options)


@pytest.fixture(scope="session")
def families() -> list[ModelFamily]:
    return list(load_families())


@pytest.fixture
def source() -> Iterator[Source]:
    with serving_files() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Source]:
    """A second server that may be asked, too."""
    with serving_files() as made:
        yield made


@pytest.fixture
def new_place(
    tmp_path: Path, source: Source, other: Source, families: list[ModelFamily]
) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(**around_it: Any) -> Place:
        catalog = Catalog(tmp_path / "models", tmp_path / "models.sqlite", families)
        now = Settings(options=Options(hugging_face=source.service, civitai=other.service))
        told: list[DownloadChanged] = []
        given: dict[str, Any] = {
            "allowed_hosts": [host for one in (source, other) for host in one.hosts],
            "waits_s": (0.0, 0.0),
            **around_it,
        }
        around = Surroundings(
            data=tmp_path / "data",
            shelf=CatalogShelf(catalog, families),
            options=lambda: now.options,
            tell=told.append,
            **given,
        )
        made.append(Place(tmp_path, around, catalog, now, told))
        return made[-1]

    yield make
    for place in made:
        place.downloads.close()
        place.catalog.close()


@pytest.fixture
def place(new_place: Callable[..., Place]) -> Place:
    return new_place()
