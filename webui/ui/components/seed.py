"""The seed: a number, a random one, or the one of the picture on show."""

from __future__ import annotations

from typing import Final

import gradio as gr

from webui.ui.controls import Number
from webui.ui.form import Form

RANDOM: Final = -1


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


def _seed(value: float | None) -> float | None:
    return None if value is None or value == RANDOM else value
