"""One browser and one server for all browser tests; a window of its own for each test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.site import Site
from tests.e2e.studio_page import StudioPage
from webui.launcher.browser import find_browser

SYSTEMS = {"darwin": "macos", "win32": "windows"}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK = {"width": 1366, "height": 768}
STEP_S = 0.03
PATIENCE_MS = 20_000  # other tests may have the processor


expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Ends with this package: while it lives, no other loop can run here."""
    path = find_browser(SYSTEMS.get(sys.platform, "linux"), os.environ)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path or None, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose engine takes 0.03 s for a step."""
    made = Site(tmp_path_factory.mktemp("site"), STEP_S)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """A server of the test's own, where nothing was made yet; it may be killed."""
    made = Site(tmp_path, STEP_S)
    made.start()
    yield made
    made.stop()


OpenWindow = Callable[..., StudioPage]


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[OpenWindow]:
    """Opens windows, each of a browser profile of its own. At the end none may have a fault."""
    opened: list[StudioPage] = []

    def open_window(
        query: str = "",
        size: dict[str, int] | None = None,
        at: Site | None = None,
        touch: bool = False,
    ) -> StudioPage:
        context = browser.new_context(viewport=size or DESK, accept_downloads=True, has_touch=touch)
        page = StudioPage(context.new_page(), at or site)
        opened.append(page)
        return page.open(query)

    yield open_window
    faults = [fault for page in opened for fault in page.faults]
    for page in opened:
        page.page.context.close()
    assert faults == []


@pytest.fixture
def page(window: OpenWindow) -> StudioPage:
    """A window on a desk screen."""
    return window()


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A picture in which every pixel differs from its neighbours."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"
