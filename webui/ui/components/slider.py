"""A slider for one number of the request: its range comes from the request itself."""

from __future__ import annotations

from webui.ui.controls import Slider
from webui.ui.fields import range_of
from webui.ui.form import Form


def slider(
    form: Form, path: str, label: str, value: float, name: str, *, step: float = 0.01
) -> Slider:
    """Draw and bind it. `name` is the end of its element id; a full id when it has its own tab's
    name in it. `step` counts for numbers that are not whole."""
    span = range_of(path, fine=step)
    control = Slider(
        span.minimum,
        span.maximum,
        value=value,
        step=span.step,
        label=label,
        elem_id=name if name.startswith("img") else f"{form.mode}_{name}",
        min_width=120,
        buttons=[],
    )
    form.bind(path, control)
    return control
