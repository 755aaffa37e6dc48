"""One server with a Gradio page for all tests of the gate: it takes seconds to build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from tests.gate.site import Site, gradio_app, plain_app, serving
from webui.gate.server import protect


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """Our kinds of routes and a real Gradio page."""
    return gradio_app()


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
