"""Pictures from words."""

from __future__ import annotations

from typing import Final

from webui.core.request import Mode
from webui.ui.components.hires import hires_controls
from webui.ui.components.workspace import workspace
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """The common workspace, with hires fix."""
    with workspace(page, Mode.TXT2IMG, hires_controls):
        pass


TAB: Final = Tab(id=Mode.TXT2IMG, title="txt2img", order=10, build=build)
