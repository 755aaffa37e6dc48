"""What is seldom changed and fits nowhere else: clip skip, VAE, emphasis, tiling, step cache."""

from __future__ import annotations

from typing import Final

from webui.core.model import Defaults, ModelKind
from webui.core.request import OWN_VAE, Emphasis, Tiling
from webui.ui.components.choice import choice, model_list, part
from webui.ui.components.group import At, group
from webui.ui.components.slider import own_slider, slider
from webui.ui.form import Form
from webui.ui.page import Page

OWN: Final = "The checkpoint's own"
EMPHASIS: Final = (
    ("Original", Emphasis.ORIGINAL.value),
    ("No norm", Emphasis.NO_NORM.value),
    ("Ignore", Emphasis.IGNORE.value),
    ("None", Emphasis.NONE.value),
)
TILING: Final = (
    ("Off", Tiling.NONE.value),
    ("Both ways", Tiling.BOTH.value),
    ("Left and right", Tiling.HORIZONTAL.value),
    ("Top and bottom", Tiling.VERTICAL.value),
)


def more_controls(page: Page, form: Form, defaults: Defaults) -> None:
    """All of them, closed away."""
    with group(form, "More", f"{form.mode}_more", _words):
        slider(form, "sampling.clip_skip", "Clip skip", defaults.clip_skip, "clip_skip")
        model_list(
            page,
            form,
            "vae",
            "VAE",
            "sd_vae",
            kind=ModelKind.VAE,
            none="Automatic",
            fixed=[(OWN, OWN_VAE)],
        )
        choice(form, "emphasis", "Emphasis mode", EMPHASIS, "emphasis")
        choice(form, "tiling", "Tiling", TILING, "tiling")
        _step_cache(form)


def _step_cache(form: Form) -> None:
    with part(form, "step_cache", "Step cache: faster, less exact", "step_cache"):
        own_slider(form, "step_cache.every", "Full step every (SD, SDXL)", "step_cache_every")
        own_slider(
            form, "step_cache.threshold", "Change allowed (Flux, SD 3 ...)", "step_cache_threshold"
        )
        own_slider(form, "step_cache.start", "Start", "step_cache_start")
        own_slider(form, "step_cache.end", "End", "step_cache_end")


def _words(at: At) -> list[str]:
    found = []
    if at["sampling.clip_skip"] not in (None, 1):
        found.append(f"clip skip {at['sampling.clip_skip']}")
    if at["vae"] == OWN_VAE:
        found.append(f"VAE: {OWN.lower()}")
    elif at["vae"]:
        found.append("VAE " + at["vae"].rsplit("/", 1)[-1].rsplit(".", 1)[0])
    for path, choices in (("emphasis", EMPHASIS), ("tiling", TILING)):
        label = next((label for label, value in choices[1:] if value == at[path]), None)
        if label:
            found.append(f"{path}: {label.lower()}")
    return [*found, "step cache"] if at["step_cache"] else found
