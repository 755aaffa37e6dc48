"""What a picture file says about how it was made, whichever program made it."""

from __future__ import annotations

from typing import Final

from webui.ui.live import live
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """One place for the client to fill."""
    live("gesso-png-info", elem_id="pnginfo")


TAB: Final = Tab(id="pnginfo", title="PNG info", order=55, build=build)
