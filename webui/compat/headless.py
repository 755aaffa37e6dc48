"""The controls of all scripts without a page: drawn out of sight, to know their order."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from webui.compat.gradio3.adapter import adapting
from webui.compat.loops import within_loop
from webui.compat.parts import part_id

log = logging.getLogger(__name__)


def runner_of(*, is_img2img: bool) -> Any:
    """The tab's modules.scripts.ScriptRunner, its controls drawn now if they never were. Where the
    page draws scripts in this very process, jobs have their own."""
    scripts = importlib.import_module("modules.scripts")
    side = importlib.import_module("modules.gesso").side
    if side.studio is not None:
        runner = side.runners.setdefault(is_img2img, scripts.ScriptRunner())
    else:
        runner = scripts.scripts_img2img if is_img2img else scripts.scripts_txt2img
    if not getattr(runner, "is_drawn", False):
        _draw(runner, is_img2img=is_img2img)
    return runner


def _draw(runner: Any, *, is_img2img: bool) -> None:
    """The imports stand here because the page's drawing asks this module for `parts_of`."""
    import gradio as gr

    from webui.compat.on_page import tell_stand_ins

    if not runner.scripts:
        with adapting():
            runner.initialize_scripts(is_img2img)
    with adapting():
        importlib.import_module("modules.script_callbacks").before_ui_callback()

    def draw() -> None:
        with gr.Blocks(), adapting():
            tell_stand_ins(runner, "img2img" if is_img2img else "txt2img")
            runner.prepare_ui()
            runner.setup_ui()

    try:
        within_loop(draw)
    except Exception:
        # events of a script that did not find a part of the page; its controls are there
        log.warning("A script's events can't be wired without a page.", exc_info=True)
    runner.is_drawn = True


def finishing_of() -> Any:
    """The scripts for finished pictures as one runner, their controls drawn now."""
    import gradio as gr

    runner = importlib.import_module("modules.gesso_finishing").finishing_runner()

    def draw() -> None:
        with gr.Blocks(), adapting():
            runner.prepare_ui()
            runner.setup_ui()

    within_loop(draw)
    return runner


def parts_of(runner: Any) -> dict[str, Any]:
    """A tab's scripts by the ids of their parts."""
    from pathlib import Path

    found: dict[str, Any] = {}
    folders = importlib.import_module("modules.gesso").side.folders
    for script in runner.scripts:
        folder, file = folders.get(script.extension, Path(script.filename)), Path(script.filename)
        id = part_id(folder, file)
        if id in found:
            id = part_id(folder, file, type(script).__name__)
        found[id] = script
    return found


def default_of(control: Any) -> Any:
    """What a control hands to its script when nobody touched it."""
    value = getattr(control, "value", None)
    try:
        return control.preprocess(value)
    except Exception:  # noqa: BLE001 - a control that can't read its own value hands it on
        return value
