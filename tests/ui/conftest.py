"""A studio for tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import make_studio
from webui.studio import Studio


@pytest.fixture
def idle_studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose queue doesn't run. It fixes keep_free_mb, as a flag would."""
    made = make_studio(tmp_path)
    made.catalog.refresh()
    yield made
    made.close()
