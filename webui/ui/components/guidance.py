"""What guides beside the scale: rescale, skipping, attention guidance, thresholding, FreeU."""

from __future__ import annotations

from webui.ui.components.choice import number, part, tick
from webui.ui.components.group import At, group, plain
from webui.ui.components.slider import own_slider
from webui.ui.form import Form

SHOWN = (
    ("guidance.rescale", "rescale"),
    ("guidance.skip_first", "skip early"),
    ("guidance.skip_below", "skip below"),
    ("guidance.perturbed_attention", "PAG"),
    ("guidance.self_attention", "SAG"),
    ("guidance.mimic_scale", "mimic"),
)
"""The numbers that the title names while they are not 0."""


def guidance_extras(form: Form) -> None:
    """All of them, closed away and off."""
    with group(form, "Guidance extras", f"{form.mode}_guidance", _words):
        own_slider(form, "guidance.rescale", "CFG rescale", "cfg_rescale")
        own_slider(form, "guidance.skip_first", "Skip early CFG", "skip_early_cond")
        number(form, "guidance.skip_below", "NGMS (skip below sigma)", "s_min_uncond")
        tick(form, "guidance.skip_below_always", "NGMS on all steps", "s_min_uncond_all")
        own_slider(
            form, "guidance.perturbed_attention", "Perturbed attention (PAG)", "pag", step=0.1
        )
        own_slider(form, "guidance.self_attention", "Self attention (SAG)", "sag", step=0.05)
        own_slider(form, "guidance.self_attention_blur", "SAG blur", "sag_blur", step=0.1)
        own_slider(form, "guidance.mimic_scale", "Mimic scale (thresholding)", "mimic", step=0.5)
        own_slider(form, "guidance.mimic_percentile", "Mimic percentile", "mimic_percentile")
        with part(form, "guidance.freeu", "FreeU", "freeu"):
            for name in ("b1", "b2", "s1", "s2"):
                own_slider(form, f"guidance.freeu.{name}", name.upper(), f"freeu_{name}")
            own_slider(form, "guidance.freeu.start", "Start", "freeu_start")
            own_slider(form, "guidance.freeu.end", "End", "freeu_end")


def _words(at: At) -> list[str]:
    named = [f"{word} {plain(at[path])}" for path, word in SHOWN if at[path]]
    return [*named, "FreeU"] if at["guidance.freeu"] else named
