"""Works on finished pictures, as scripts of the Extras tab do."""

import gradio as gr
from modules import scripts_postprocessing
from PIL import ImageOps


class Turned(scripts_postprocessing.ScriptPostprocessing):
    name = "Turned colours"
    order = 2000

    def ui(self):
        with gr.Accordion(self.name, open=False):
            enable = gr.Checkbox(False, label="Turn colours")
            copies = gr.Slider(0, 3, value=0, step=1, label="Copies")
        return {"enable": enable, "copies": copies}

    def process(self, pp, enable, copies):
        if not enable:
            return
        pp.image = ImageOps.invert(pp.image.convert("RGB"))
        pp.info["Turned"] = "yes"
        for _ in range(int(copies)):
            pp.extra_images.append(pp.create_copy(pp.image.copy(), nametags=["copy"]))
