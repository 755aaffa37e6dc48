"""Adds axes to A1111's plot, found as extensions find it."""

import os

import gradio as gr
from modules import scripts


class More(scripts.Script):
    def title(self):
        return "More"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Checkbox(False, label="Loud"), gr.Slider(0, 9, value=1, label="Often")]

    def process(self, p, loud, often):
        word = getattr(p, "own_word", "word")
        word = word.upper() if loud else word
        p.all_prompts = [f"{prompt} {' '.join([word] * int(often))}" for prompt in p.all_prompts]


for data in scripts.scripts_data:
    if os.path.basename(data.path) == "xyz_grid.py":
        grid = data.module
        grid.axis_options.append(
            grid.AxisOption("[More] Word", str, grid.apply_field("own_word"), choices=lambda: ["a"])
        )
        grid.axis_options.extend([grid.AxisOption("[More] Steps", int, grid.apply_field("steps"))])
