"""A studio for tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import make_studio
from webui.studio import Studio


@pytest.fixture(scope="module")
def idle_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio whose queue doesn't run, one for the tests of a file. It fixes keep_free_mb, as a
    flag would."""
    made = make_studio(tmp_path_factory.mktemp("studio"))
    made.catalog.refresh()
    yield made
    made.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A running studio, one for the tests of a file: to build its page costs seconds."""
    made = make_studio(tmp_path_factory.mktemp("running"))
    made.start()
    yield made
    made.close()
