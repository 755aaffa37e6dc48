"""One server with the whole page for all tests of the gate: it takes seconds to build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from tests.conftest import make_studio
from tests.gate.site import Site, plain_app, serving, whole_app
from webui.gate.server import protect


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


@pytest.fixture
def small_site() -> Iterator[Site]:
    """The same without Gradio, new for each test: for what leaves connections behind."""
    with serving(protect(plain_app())) as running:
        yield running
