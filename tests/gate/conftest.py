"""One server with the whole page for all tests of the gate: it takes seconds to build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from tests.conftest import make_studio
from tests.gate.site import Site, plain_app, serving, whole_app
from tests.gate.whole import House, served_app
from webui.engine.fake import FakeEngine
from webui.gate.server import protect
from webui.settings import SettingsStore
from webui.studio import Studio


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Our kinds of routes and the real page of an idle studio."""
    studio = make_studio(tmp_path_factory.mktemp("gate"))
    studio.start()
    yield whole_app(studio)
    studio.close()


@pytest.fixture(scope="session")
def site(app: FastAPI) -> Iterator[Site]:
    """The application behind the gate, on a real port."""
    with serving(protect(app)) as running:
        yield running


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A studio where people sign in, with all of its API and the page."""
    folder = str(tmp_path_factory.mktemp("house"))
    values = {"data_dir": folder, "keep_free_mb": 0, "sign_in": True}
    studio = Studio(SettingsStore(values), [FakeEngine("fake")])
    studio.start()
    yield House(studio=studio, app=served_app(studio))
    studio.close()


@pytest.fixture
def small_site() -> Iterator[Site]:
    """The same without Gradio, new for each test: for what leaves connections behind."""
    with serving(protect(plain_app())) as running:
        yield running
