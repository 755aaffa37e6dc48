"""The seed: a number, a random one, or the one of the picture on show; and what varies it."""

from __future__ import annotations

from typing import Final

import gradio as gr

from webui.core.request import NoiseSource
from webui.ui.components.choice import choice
from webui.ui.components.group import At, group, plain
from webui.ui.components.slider import off_slider, own_slider
from webui.ui.controls import Number
from webui.ui.form import Form

RANDOM: Final = -1
SOURCES: Final = (
    ("CPU", NoiseSource.CPU.value),
    ("GPU", NoiseSource.GPU.value),
    ("NV", NoiseSource.NV.value),
)


def seed_controls(form: Form) -> None:
    """Draw and bind them. Reuse is wired by the client, which knows the picture on show."""
    mode = form.mode
    with gr.Row(elem_id=f"{mode}_seed_row", elem_classes="gesso-seed"):
        seed = Number(
            RANDOM,
            precision=0,
            label="Seed (−1 = random)",
            elem_id=f"{mode}_seed",
            min_width=120,
            scale=3,
        )
        randomise = gr.Button("Random", size="sm", elem_id=f"{mode}_random_seed", min_width=44)
        gr.Button("Reuse", size="sm", elem_id=f"{mode}_reuse_seed", min_width=44)
    randomise.click(None, None, [seed], js=f"() => {RANDOM}", queue=False, api_visibility="private")
    form.bind("seed", seed, read=_seed, blank=RANDOM)


def seed_extras(form: Form) -> None:
    """Variation, the size whose composition is kept, and where noise comes from; closed away."""
    with group(form, "Seed extras", f"{form.mode}_seed_extras", _words):
        own_slider(form, "noise.variation_strength", "Variation strength", "subseed_strength")
        variation = Number(
            RANDOM,
            precision=0,
            label="Variation seed (−1 = random)",
            elem_id=f"{form.mode}_subseed",
            elem_classes="gesso-field",
            min_width=120,
        )
        form.bind("noise.variation_seed", variation, read=_seed, blank=RANDOM)
        for side, name in (("width", "seed_resize_from_w"), ("height", "seed_resize_from_h")):
            off_slider(form, f"noise.resize_from_{side}", f"Resize seed from {side}", name)
        choice(form, "noise.source", "Random number generator", SOURCES, "randn_source")
        delta = Number(
            0,
            precision=0,
            label="Eta noise seed delta (ENSD)",
            elem_id=f"{form.mode}_ensd",
            elem_classes="gesso-field",
            min_width=120,
        )
        form.bind("noise.seed_delta", delta, blank=0)


def _words(at: At) -> list[str]:
    found = []
    if strength := at["noise.variation_strength"]:
        found.append(f"variation {plain(strength)}")
    if at["noise.resize_from_width"] and at["noise.resize_from_height"]:
        size = f"{at['noise.resize_from_width']}×{at['noise.resize_from_height']}"
        found.append(f"from {size}")
    if at["noise.source"] != NoiseSource.CPU.value:
        found.append(f"noise {at['noise.source'].upper()}")
    if at["noise.seed_delta"]:
        found.append(f"ENSD {plain(at['noise.seed_delta'])}")
    return found


def _seed(value: float | None) -> float | None:
    return None if value is None or value == RANDOM else value
