"""New picture at the sides of the source."""

from __future__ import annotations

from typing import Final

from webui.ui.components.choice import part
from webui.ui.components.group import At, group
from webui.ui.components.slider import own_slider
from webui.ui.form import Form
from webui.ui.page import Page

SIDES: Final = ("left", "right", "top", "bottom")


def outpaint_controls(_: Page, form: Form) -> None:
    """How much at which side, closed away and off."""

    def words(at: At) -> list[str]:
        if not at["outpaint"]:
            return []
        sides = [f"{side} {at[f'outpaint.{side}']}" for side in SIDES if at[f"outpaint.{side}"]]
        return sides or ["no side chosen"]

    with (
        group(form, "Outpaint", "inpaint_outpaint", words),
        part(form, "outpaint", "Add picture at the sides", "outpaint_enabled"),
    ):
        for side in SIDES:
            own_slider(
                form, f"outpaint.{side}", f"{side.capitalize()} (pixels)", f"outpaint_{side}"
            )
        own_slider(form, "outpaint.overlap", "Overlap (pixels)", "outpaint_overlap")
