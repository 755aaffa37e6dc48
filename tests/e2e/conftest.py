"""One browser and one server for all browser tests; a window that shows nothing for each test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.site import Site, free_port
from tests.e2e.studio_page import FORGET, StudioPage
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
    """A server whose engine takes 0.03 s for a step, and that may download from this machine."""
    models = {"download_hosts": f"127.0.0.1:{free_port()}"}
    made = Site(tmp_path_factory.mktemp("site"), STEP_S, settings=models)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="package")
def spare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server behind `own_site`."""
    made = Site(tmp_path_factory.mktemp("spare"), STEP_S)
    yield made
    made.stop()


@pytest.fixture
def own_site(spare_server: Site) -> Iterator[Site]:
    """A server that only one test uses at a time: it may be killed, held up and given models."""
    if not spare_server.is_running:
        spare_server.start()
    yield spare_server
    shutil.rmtree(spare_server.folder / "models", ignore_errors=True)


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """A server of the test's own, where nothing was made yet. It costs seconds."""
    made = Site(tmp_path, STEP_S)
    made.start()
    yield made
    made.stop()


class Windows:
    """Windows that tests use one after the other, each of a browser profile of its own.

    To load the page again in a window costs half of what it costs in a new one.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[bool, list[Page]] = {False: [], True: []}

    def take(self, size: dict[str, int], touch: bool) -> Page:
        """A window that shows nothing yet."""
        if not self._free[touch]:
            context = self._browser.new_context(accept_downloads=True, has_touch=touch)
            self._free[touch].append(context.new_page())
        page = self._free[touch].pop()
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        return page

    def give_back(self, page: Page, touch: bool) -> None:
        """Leave nothing of a test in a window."""
        page.unroute_all()
        page.evaluate(f"localStorage.clear(); {FORGET}")
        page.context.clear_cookies()
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page.goto("about:blank")
        self._free[touch].append(page)


@pytest.fixture(scope="package")
def windows(browser: Browser) -> Windows:
    """The windows of this browser."""
    return Windows(browser)


OpenWindow = Callable[..., StudioPage]


@pytest.fixture
def window(windows: Windows, site: Site) -> Iterator[OpenWindow]:
    """Opens windows, each of a browser profile of its own. At the end none may have a fault."""
    opened: list[tuple[StudioPage, bool]] = []

    def open_window(
        query: str = "",
        size: dict[str, int] | None = None,
        at: Site | None = None,
        touch: bool = False,
    ) -> StudioPage:
        page = StudioPage(windows.take(size or DESK, touch), at or site)
        opened.append((page, touch))
        return page.open(query)

    yield open_window
    faults = [fault for page, _ in opened for fault in page.faults]
    for used in {page.site.url: page.site for page, _ in opened}.values():
        if used.is_running:
            used.cancel_all()
    for page, touch in opened:
        page.stop_listening()
        windows.give_back(page.page, touch)
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
