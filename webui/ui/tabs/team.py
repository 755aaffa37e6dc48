"""The people of a studio that several use; for its owner. The client draws it from the API."""

from __future__ import annotations

from typing import Final

from webui.ui.live import live
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """One place for the client to fill."""
    live("gesso-team", elem_id="team")


TAB: Final = Tab(id="team", title="Team", order=85, build=build)
