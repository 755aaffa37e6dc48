"""Every file of the models folders: what it is, what it lacks, where it is used."""

from __future__ import annotations

from typing import Final

from webui.ui.live import live
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """One place for the client to fill."""
    live("gesso-models", elem_id="models_table")


TAB: Final = Tab(id="models", title="Models", order=60, build=build)
