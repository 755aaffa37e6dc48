"""The page, put together: top bar, tabs found by scanning, and the events that cross tabs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

import webui.ui.tabs
from webui.core.person import CALLER, LOCAL_OWNER, Caller
from webui.core.registry import discover
from webui.studio import Studio
from webui.ui.components.extension_tabs import attachments, extension_tabs
from webui.ui.components.topbar import starter_notice, top_bar
from webui.ui.keeper import PageKeeper
from webui.ui.live import live
from webui.ui.look import head, theme
from webui.ui.model_switch import ModelSwitch
from webui.ui.page import Tab
from webui.ui.restore import restore_channel

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

MAX_UPLOAD: Final = "64mb"
HOUR_S: Final = 3600
ICON: Final = Path(__file__).parent / "assets" / "icon.png"


def build_page(studio: Studio, first_function: int = 0) -> gr.Blocks:
    """The whole page. Its events stay private: the API for programs is another one. Their
    functions are numbered from `first_function` on."""
    with (
        gr.Blocks(
            title="Gesso",
            fill_width=True,
            analytics_enabled=False,
            delete_cache=(HOUR_S, 24 * HOUR_S),
        ) as blocks,
        _heard_by_scripts(studio),
    ):
        blocks.default_config.fn_id = first_function
        # Gradio would describe the page here twice, and again when it is mounted.
        blocks.get_config_file = dict
        page = top_bar(studio)
        notice = starter_notice(studio)
        with gr.Tabs(elem_id="tabs") as tabs:
            for tab in load_tabs():
                with gr.Tab(tab.title, id=tab.id, elem_id=f"tab_{tab.id}") as place:
                    tab.build(replace(page, tab=place))
            extension_tabs(page)
        restore_channel(page, tabs)
        ModelSwitch(page, notice).wire(blocks)
        live("gesso-notices")
        live("gesso-lightbox")
        attachments(page)
    del blocks.get_config_file
    return blocks


def _heard_by_scripts(studio: Studio) -> AbstractContextManager[None]:
    """A1111's scripts are told of each part of the page as it is drawn."""
    legacy = studio.extensions.legacy
    return nullcontext() if legacy is None else legacy.building()


def load_tabs() -> list[Tab]:
    """All tabs in their order."""
    found = [tab for tab in discover(webui.ui.tabs, "TAB") if isinstance(tab, Tab)]
    return sorted(found, key=lambda tab: tab.order)


def mount_page(api: FastAPI, studio: Studio) -> FastAPI:
    """The page at "/" of an API. The gate stands before it and tells it who asks. What keeps it up
    to date with the extensions is `api.state.page`, a PageKeeper."""
    # Gradio asks the environment only. Its default is a folder in /tmp that others can read.
    os.environ["GRADIO_TEMP_DIR"] = str(studio.settings.current.data / "uploads")
    keeper = PageKeeper(api, studio, partial(build_page, studio), partial(_mount, studio))
    api.state.page = keeper
    api.mount("/", keeper.holder)
    before = api.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with before(app) as state, keeper.holder.living():
            yield state

    api.router.lifespan_context = lifespan
    return api


def _mount(studio: Studio, app: FastAPI, page: gr.Blocks) -> None:
    # Gradio only checks that the files which an event names were uploaded when the page was
    # launched. A mounted one never is, and its events would read any file of this machine.
    page.has_launched = True
    legacy = studio.extensions.legacy
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name="127.0.0.1",
        server_port=studio.settings.current.port,
        footer_links=[],
        run_history=False,
        auth_dependency=_person,
        allowed_paths=[],
        show_error=False,
        favicon_path=str(ICON),
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        head=head(studio.settings.current) + (legacy.head() if legacy is not None else ""),
    )


def _person(request: Request) -> str | None:
    """Who asks, as the gate recognised them; None on what is open to everyone."""
    caller: Caller | None = request.scope.get(CALLER, LOCAL_OWNER)
    return caller.id if caller else None
