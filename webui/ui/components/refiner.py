"""A second checkpoint for the last part of the run."""

from __future__ import annotations

from webui.core.model import ModelKind
from webui.ui.components.choice import model_list
from webui.ui.components.group import At, group, plain
from webui.ui.components.slider import own_slider
from webui.ui.form import Form
from webui.ui.page import Page


def refiner_controls(page: Page, form: Form) -> None:
    """Which checkpoint takes over, and when. Without one there is no refiner."""

    def words(at: At) -> list[str]:
        if not at["refiner.checkpoint"]:
            return []
        name = at["refiner.checkpoint"].rsplit("/", 1)[-1].rsplit(".", 1)[0]
        return [name, f"at {plain(at['refiner.switch_at'])}"]

    with group(form, "Refiner", f"{form.mode}_refiner", words):
        model_list(
            page, form, "refiner.checkpoint", "Checkpoint", "checkpoint",
            kind=ModelKind.CHECKPOINT, none="None",
        )  # fmt: skip
        own_slider(form, "refiner.switch_at", "Switch at", "switch_at")
    form.needs("refiner", "refiner.checkpoint")
