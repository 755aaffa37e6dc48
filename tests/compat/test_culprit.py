"""An old script that breaks what the page is built with: it goes, the studio stays."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import gradio as gr

from tests.extend.conftest import Workshop
from tests.ui.window import opened

SPOILS = """
    import gradio as gr
    from modules import scripts

    class Script(scripts.Script):
        def title(self):
            return "Spoils"

        def show(self, is_img2img):
            return scripts.AlwaysVisible

        def ui(self, is_img2img):
            box = gr.Checkbox(label="Spoils")
            gr.blocks.Block.render = lambda self, *args, **more: 1 / 0
            return [box]
"""


def test_who_makes_the_page_impossible_is_switched_off(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    folder = workshop.folder / "spoils" / "scripts"
    folder.mkdir(parents=True)
    (folder / "spoils.py").write_text(dedent(SPOILS), "utf-8")
    kept = gr.blocks.Block.render
    studio = workshop.studio("spoils")
    with opened(studio) as house:
        assert house.open().has("txt2img_generate")
    spoils = studio.extensions.get("spoils")
    assert not spoils.is_on
    assert "The page could not be built with it" in spoils.error
    assert gr.blocks.Block.render is kept
    workshop.close()
