"""Edits prompts, as wildcard extensions do."""

import random

import gradio as gr
from modules import script_callbacks, scripts, shared

FOLDER = scripts.basedir()


class Words(scripts.Script):
    def title(self):
        return "Own words"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        with gr.Accordion("Own words", open=False):
            is_on = gr.Checkbox(label="Enabled", value=True, elem_id=self.elem_id("on"))
            behind = gr.Textbox(label="Behind", elem_id=self.elem_id("behind"))
            kind = gr.Dropdown(["cat", "dog"], value="dog", type="index", label="Kind")
        self.infotext_fields = [(behind, "Own words behind")]
        self.paste_field_names = ["own_words_behind"]
        return [is_on, behind, kind]

    def process(self, p, is_on, behind, kind):
        if not is_on:
            return
        chosen = []
        for prompt, seed in zip(p.all_prompts, p.all_seeds):
            beast = random.Random(seed).choice(["ant", "bee", "cow"])
            chosen.append(prompt.replace("@@beast@@", beast) + behind)
        p.all_prompts = chosen
        p.extra_generation_params["Own words kind"] = kind
        p.extra_generation_params["Own words each"] = [f"picture {i}" for i in range(len(chosen))]
        p.extra_generation_params["Own words option"] = shared.opts.own_words_option
        p.extra_generation_params["Own words behind"] = behind or None


def on_ui_settings():
    section = ("own-words", "Own words")
    info = shared.OptionInfo("calm", "How to speak", gr.Textbox, section=section)
    shared.opts.add_option("own_words_option", info.info("a mood").needs_restart())


def on_before_image_saved(params):
    if "signed" in params.p.main_prompt:
        params.image.putpixel((0, 0), (7, 8, 9))


script_callbacks.on_ui_settings(on_ui_settings)
script_callbacks.on_before_image_saved(on_before_image_saved)
