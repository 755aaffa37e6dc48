"""Pictures from a picture and words."""

from __future__ import annotations

from typing import Final

from webui.core.request import Mode
from webui.ui.components.preprocess import preprocess_group
from webui.ui.components.source import source_controls, source_extras, source_picture
from webui.ui.components.workspace import workspace
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """The common workspace below a source picture."""
    with workspace(page, Mode.IMG2IMG, source_extras) as form:
        source_picture(page.studio, form)
        preprocess_group(page, form)
        source_controls(form)


TAB: Final = Tab(id=Mode.IMG2IMG, title="img2img", order=20, build=build)
