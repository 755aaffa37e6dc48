"""Keeps the page up to date with the extensions: builds another when they change, and swaps it in.

Building takes about half a second and runs in a thread of its own; until it is done, everybody
gets the page as it was.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Router

from webui import __version__
from webui.core.events import ExtensionsChanged
from webui.extend.legacy import LegacyHost
from webui.gate.additions import Addition, Additions, RefusedRoute, add_app, add_router, bare_app
from webui.gate.audit import Decision, Table, audit
from webui.gate.gradio_rules import GRADIO_RULES
from webui.studio import Studio
from webui.ui.culprits import culprits_of
from webui.ui.holder import PageHolder, Served

log = logging.getLogger(__name__)

LEGACY: Final = "A1111 extensions"
MOST_FUNCTIONS: Final = 1 << 13
"""Of one page."""
PAGES_ALIKE: Final = 1 << 5
"""So many pages of the same extensions, whose code was read anew, are told apart. With 32 bits of
what they are, the numbers stay below 2**53: the browser takes them for what they are."""

Build = Callable[[int], gr.Blocks]
"""Draws the page; its functions are numbered from there on."""
Mount = Callable[[FastAPI, gr.Blocks], object]
"""Lets Gradio serve a page at "/" of an application."""


class PageKeeper:
    """The page that is served, and the routes of extensions beside it."""

    def __init__(self, api: FastAPI, studio: Studio, build: Build, mount: Mount) -> None:
        """Builds the first page, which is not yet served at `api`."""
        self._api_routes: Final = tuple(api.routes)
        self._studio: Final = studio
        self._build: Final = build
        self._mount: Final = mount
        self._pages: Counter[int] = Counter()
        self._lock: Final = threading.Lock()
        self._is_wanted = False
        self._is_building = False
        self.additions: Final = Additions()
        page, added = self._make_surely()
        self.holder: Final = PageHolder(page, self.additions)
        self.additions.use(added)
        studio.extensions.on_change(self.changed)

    @property
    def is_building(self) -> bool:
        """Whether another page is on its way."""
        return self._is_building

    def changed(self, is_page: bool) -> None:
        """Build anew if the page has to show a change, and tell who looks at it. Returns at
        once."""
        if not is_page:
            self._studio.bus.publish(ExtensionsChanged())
            return
        with self._lock:
            self._is_wanted = True
            if self._is_building:
                return
            self._is_building = True
        threading.Thread(target=self._rebuild, name="gesso-page", daemon=True).start()

    def _rebuild(self) -> None:
        """As often as something changed meanwhile."""
        while True:
            with self._lock:
                if not self._is_wanted:
                    self._is_building = False
                    return
                self._is_wanted = False
            # Gradio counts the parts of all pages together and without a lock: an event that makes
            # one at the same moment may take a number away.
            if self._swap() or self._swap() or self._swap(is_sure=True):
                self._studio.bus.publish(ExtensionsChanged(is_page=True))

    def _swap(self, *, is_sure: bool = False) -> bool:
        """Hand out a new page; False if it could not be built. `is_sure`: whoever makes that
        impossible is switched off."""
        begun = time.perf_counter()
        try:
            # Gradio's locks and events want a loop while they are made.
            page, added = asyncio.run(self._made(is_sure=is_sure))
            self.additions.use(added)
            self.holder.swap(page)
        except Exception:
            log.exception("The page could not be built anew. It stays as it was.")
            return False
        log.info("The page was built anew in %.2f s.", time.perf_counter() - begun)
        return True

    async def _made(self, *, is_sure: bool) -> tuple[Served, list[Addition]]:
        await asyncio.sleep(0)
        return self._make_surely() if is_sure else self._make()

    def _make_surely(self) -> tuple[Served, list[Addition]]:
        """As `_make`, as often as somebody is found who makes it impossible. Raises what remains
        when nobody is left."""
        while True:
            try:
                return self._make()
            except Exception as error:
                culprits = culprits_of(error, self._studio.extensions.all())
                if not culprits:
                    raise
                log.exception("The page can't be built with %s.", ", ".join(culprits))
                why = "The page could not be built with it, so it was switched off"
                for id in culprits:
                    self._studio.extensions.refuse(id, f"{why} ({type(error).__name__}: {error}).")

    def _make(self) -> tuple[Served, list[Addition]]:
        """A page for the extensions as they are, and their routes, all decided on. Raises
        UndecidedRoute."""
        added = self._routers()
        with self._studio.extensions.drawing:
            return self._drawn(added), added

    def _drawn(self, added: list[Addition]) -> Served:
        number = self._number()
        blocks = self._build(number)
        blocks.app_id = number  # Gradio's own way to tell that a page is out of date
        shell = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self._mount(shell, blocks)
        decisions = audit(shell, GRADIO_RULES)
        legacy = self._studio.extensions.legacy
        if legacy is not None:
            added.append(self._attached(legacy, blocks, decisions))
        return Served(shell, blocks, Table(decisions))

    def _number(self) -> int:
        """Where the functions of a page begin. The same extensions give the same page, so windows
        survive that the server is started again; no other page has the same numbers."""
        on = [(one.id, one.manifest.version) for one in self._studio.extensions.all() if one.is_on]
        mark = crc32(repr((__version__, on)).encode())
        self._pages[mark] += 1
        return mark * PAGES_ALIKE * MOST_FUNCTIONS + (
            (self._pages[mark] - 1) % PAGES_ALIKE * MOST_FUNCTIONS
        )

    def _attached(
        self, legacy: LegacyHost, blocks: gr.Blocks, page: Sequence[Decision]
    ) -> Addition:
        """The routes of A1111's extensions, which have addresses of their own."""
        own = audit(Router(list(self._api_routes)), {})
        app = bare_app()
        try:
            legacy.attach(app, blocks)
        except Exception:
            log.exception("Not all routes of A1111 extensions are there.")
        addition, left_out = add_app(LEGACY, app, Table((*own, *page)))
        for why in left_out:
            log.warning("%s", why)
        return addition

    def _routers(self) -> list[Addition]:
        """The routes of each extension; one whose routes are refused is switched off."""
        extensions = self._studio.extensions
        by_id: dict[str, list[tuple[object, object]]] = {}
        for id, routes in extensions.routers():
            by_id.setdefault(id, []).append((routes.router, routes.role))
        added = []
        for id, routers in by_id.items():
            try:
                added.append(add_router(id, routers))
            except RefusedRoute as error:
                extensions.refuse(id, f"{error} It was switched off.")
        return added
