"""Fine points of samplers and schedules."""

from __future__ import annotations

from typing import Final

import gradio as gr

from webui.ui.components.choice import number, tick
from webui.ui.components.group import At, group
from webui.ui.components.slider import element_id
from webui.ui.fields import default_of
from webui.ui.form import Form

PART: Final = "sampling.parameters"
NUMBERS: Final = (
    ("eta", "Eta"),
    ("order", "Order"),
    ("churn", "Sigma churn"),
    ("churn_from", "Sigma tmin"),
    ("churn_to", "Sigma tmax"),
    ("noise_factor", "Sigma noise"),
    ("smallest_sigma", "Schedule min sigma"),
    ("largest_sigma", "Schedule max sigma"),
    ("rho", "Schedule rho"),
    ("beta_alpha", "Beta schedule alpha"),
    ("beta_beta", "Beta schedule beta"),
    ("shift", "Shift"),
)
"""The last part of each field's path and A1111's word for it."""
DISTILLED: Final = "sampling.distilled_guidance"
YES_NO: Final = (("Automatic", ""), ("Yes", "yes"), ("No", "no"))


def sampler_parameters(form: Form) -> None:
    """All of them, closed away. Each counts only where the sampler or the schedule uses it."""
    with group(form, "Sampler parameters", f"{form.mode}_sampler_parameters", _words):
        with gr.Row(elem_classes="gesso-numbers"):
            for name, label in NUMBERS:
                number(form, f"{PART}.{name}", label, f"sampler_{name}")
        number(form, DISTILLED, "Distilled CFG scale", "distilled_cfg_scale")
        _discard(form)
        tick(form, f"{PART}.sgm_noise", "SGM noise multiplier", "sgm_noise_multiplier")


def _discard(form: Form) -> None:
    """A choice of three: the field is blank, True or False."""
    control = gr.Dropdown(
        list(YES_NO),
        value="",
        label="Discard penultimate sigma",
        elem_id=element_id(form, "discard_penultimate"),
        elem_classes="gesso-line",
        min_width=120,
    )
    form.bind(
        f"{PART}.discard_penultimate",
        control,
        read=lambda value: value == "yes" if value else None,
        show=lambda is_discarded: "yes" if is_discarded else "no",
        blank="",
    )


def _words(at: At) -> list[str]:
    changed = [
        f"{label} {at[path]}"
        for path, label in ((f"{PART}.{name}", label) for name, label in NUMBERS)
        if at[path] not in (None, "", default_of(path))
    ]
    if at[f"{PART}.discard_penultimate"]:
        changed.append(f"discard penultimate: {at[f'{PART}.discard_penultimate']}")
    return [*changed, "SGM noise"] if at[f"{PART}.sgm_noise"] else changed
