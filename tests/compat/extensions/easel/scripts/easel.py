"""A script as they are written for AUTOMATIC1111: controls, a tab, options, routes."""

import gradio as gr
from fastapi.responses import JSONResponse
from modules import infotext_utils, script_callbacks, scripts, shared, ui
from modules.ui_components import FormRow, InputAccordion, ToolButton

made = []
seen = []


class SmallButton(ui.ToolButton):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def get_block_name(self):
        return "button"


class Easel(scripts.Script):
    def __init__(self):
        made.append(self)
        if len(made) % 2 == 1:
            script_callbacks.on_ui_tabs(on_late_tab)

    def title(self):
        return "Easel"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def after_component(self, component, **kwargs):
        if kwargs.get("elem_id") in ("txt2img_width", "img2img_width"):
            self.width = component
        if kwargs.get("elem_id") in ("txt2img_prompt", "img2img_prompt"):
            self.prompt = component

    def ui(self, is_img2img):
        with InputAccordion(False, label="Easel", elem_id=self.elem_id("on")) as enabled:
            with FormRow():
                grain = gr.Slider(0, 1, 0.5, step=0.1, label="Grain", elem_id=self.elem_id("grain"))
                double = SmallButton("Double", elem_id=self.elem_id("double"))
            with gr.Accordion("Inner", open=False):
                words = gr.Textbox(label="Words", elem_id=self.elem_id("words"))
                kind = gr.Dropdown(["oil", "chalk"], label="Kind", value="oil", type="index")
                hidden = gr.Checkbox(label="Hidden", visible=False, elem_id=self.elem_id("hidden"))
            with gr.Row(visible=False, elem_id=self.elem_id("row")) as row:
                gr.Textbox(label="Inside", elem_id=self.elem_id("inside"))
        double.click(
            fn=lambda width: (width * 2, gr.Row.update(visible=True)),
            _js="easelPressed",
            inputs=[self.width],
            outputs=[self.width, row],
        )
        self.infotext_fields = [(grain, "Easel grain"), (enabled, lambda d: "Easel grain" in d)]
        return [enabled, grain, words, kind, hidden]


class Chosen(scripts.Script):
    def title(self):
        return "Easel, chosen"

    def show(self, is_img2img):
        return not is_img2img

    def ui(self, is_img2img):
        return [gr.Number(label="Count", value=3, precision=0)]


def on_tab():
    with gr.Blocks(analytics_enabled=False, css=".easel {}") as tab:
        with gr.Box():
            words = gr.Textbox(label="Words", elem_id="easel_tab_words")
            said = gr.HTML(elem_id="easel_said")
            go = gr.Button("Say", elem_id="easel_say").style(full_width=True)
            text = gr.Textbox(elem_id="easel_text", visible=False)
        go.click(
            fn=lambda words: gr.HTML.update(
                value=f"<b onclick=\"easelClicked('{words}')\">{words}</b>"
            ),
            inputs=[words],
            outputs=[said],
        )
        buttons = infotext_utils.create_buttons(["txt2img", "img2img"])
        infotext_utils.bind_buttons(buttons, None, text)
    return [(tab, "Easel tab", "easel_tab")]


def on_late_tab():
    with gr.Blocks(analytics_enabled=False) as tab:
        gr.Markdown(f"first field: {ui.txt2img_paste_fields[0][0].elem_id}", elem_id="easel_late")
    return [(tab, "Easel late", "easel_late_tab")]


def on_settings():
    section = ("easel", "Easel")
    shared.opts.add_option(
        "easel_flag", shared.OptionInfo(True, "A flag", section=section).info("a remark")
    )
    shared.opts.add_option(
        "easel_api_key", shared.OptionInfo("none", "A key", gr.Textbox, section=section)
    )


def on_app(blocks, app):
    @app.get("/easel/hello")
    async def hello():
        return {"flag": shared.opts.easel_flag}

    app.add_api_route("/easel/more", lambda: JSONResponse([1]), methods=["POST"])

    @app.middleware("http")
    async def spy(request, call_next):
        seen.append(request.url.path)
        return await call_next(request)


def on_component(component, **kwargs):
    if kwargs.get("elem_id") == "txt2img_seed":
        ToolButton(value="S", elem_id="easel_by_the_seed")


def on_pasted(text, fields):
    if "Easel grain" in fields:
        fields["Easel grain"] = "0.9"


script_callbacks.on_ui_tabs(on_tab)
script_callbacks.on_ui_settings(on_settings)
script_callbacks.on_app_started(on_app)
script_callbacks.on_after_component(on_component)
script_callbacks.on_infotext_pasted(on_pasted)
