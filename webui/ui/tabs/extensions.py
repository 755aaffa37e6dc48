"""Extensions: which there are, switching, installing. The client draws it from the API; others
than the owner see there what is on."""

from __future__ import annotations

from typing import Final

from webui.ui.live import live
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """One place for the client to fill."""
    live("gesso-extensions", elem_id="extensions")


TAB: Final = Tab(id="extensions", title="Extensions", order=80, build=build)
