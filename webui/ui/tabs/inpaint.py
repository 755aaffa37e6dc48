"""A part of a picture painted anew."""

from __future__ import annotations

from typing import Final

from webui.core.request import Mode
from webui.ui.components.mask import mask_canvas, mask_controls, soft_controls
from webui.ui.components.outpaint import outpaint_controls
from webui.ui.components.source import source_controls, source_extras
from webui.ui.components.workspace import workspace
from webui.ui.page import Page, Tab


def build(page: Page) -> None:
    """The common workspace below a picture to paint a mask on."""
    with workspace(page, Mode.INPAINT, outpaint_controls, soft_controls, source_extras) as form:
        mask_canvas(page.studio, form)
        source_controls(form)
        mask_controls(form)


TAB: Final = Tab(id=Mode.INPAINT, title="Inpaint", order=30, build=build)
