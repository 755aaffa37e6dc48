"""What was made, newest first. The client draws it from the API, page by page."""

from __future__ import annotations

from typing import Final

from webui.ui.live import live
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """One place for the client to fill."""
    live("gesso-history", elem_id="history_gallery")


TAB: Final = Tab(id="history", title="History", order=50, build=build)
