"""A slider for one number of the request: its range comes from the request itself."""

from __future__ import annotations

from webui.ui.controls import Slider
from webui.ui.fields import default_of, range_of
from webui.ui.form import Form


def slider(
    form: Form, path: str, label: str, value: float, name: str, *, step: float = 0.01
) -> Slider:
    """Draw and bind it. `name` is the end of its element id; a full id when it has its own tab's
    name in it. `step` counts for numbers that are not whole."""
    control = _draw(form, path, label, value, name, step=step)
    form.bind(path, control)
    return control


def own_slider(form: Form, path: str, label: str, name: str, *, step: float = 0.01) -> Slider:
    """A slider that stands, at first and whenever the field is blank, at the field's default."""
    value = default_of(path)
    control = _draw(form, path, label, value, name, step=step)
    form.bind(path, control, blank=value)
    return control


def off_slider(form: Form, path: str, label: str, name: str, *, step: float = 0.01) -> Slider:
    """A slider whose 0 leaves the field blank."""
    control = _draw(form, path, label, 0, name, step=step, minimum=0)
    form.bind(path, control, read=lambda value: value or None, blank=0)
    return control


def element_id(form: Form, name: str) -> str:
    """The element id of a control with this name. Names from A1111 that hold their tab stay."""
    return name if name.startswith("img") else f"{form.mode}_{name}"


def _draw(
    form: Form,
    path: str,
    label: str,
    value: float,
    name: str,
    *,
    step: float,
    minimum: float | None = None,
) -> Slider:
    span = range_of(path, fine=step)
    return Slider(
        span.minimum if minimum is None else minimum,
        span.maximum,
        value=value,
        step=span.step,
        label=label,
        elem_id=element_id(form, name),
        min_width=120,
        buttons=[],
    )
