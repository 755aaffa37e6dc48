"""The scripts' controls without a page: drawn out of sight, among stand-ins for the parts of
A1111's page that scripts look for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import gradio as gr

from webui.compat.gradio3.adapter import watching
from webui.compat.loops import within_loop
from webui.compat.on_page import tell_stand_ins
from webui.compat.page.drawing import Drawn, Hand, draw_scripts
from webui.compat.page.old import module, side
from webui.compat.page.runners import PICTURE_TABS, Runners
from webui.compat.page.tabs import outside
from webui.core.request import InputId, Mode
from webui.ui.form import Form


def unseen(within: Callable[[str], AbstractContextManager[None]]) -> dict[Mode, tuple[Drawn, ...]]:
    """All scripts of all picture tabs, made and drawn for this only."""
    return within_loop(lambda: _unseen(within))


def _unseen(within: Callable[[str], AbstractContextManager[None]]) -> dict[Mode, tuple[Drawn, ...]]:
    drawn: dict[Mode, tuple[Drawn, ...]] = {}
    runners, hand = Runners(within), Hand(within=within, keep=lambda _: InputId(""))
    with kept_callbacks(), outside(), watching(None), gr.Blocks():
        runners.begin(is_unseen=True)
        for mode in PICTURE_TABS:
            runner = runners.get(mode)
            with within(""):
                tell_stand_ins(runner, "txt2img" if mode == Mode.TXT2IMG else "img2img")
            drawn[mode] = draw_scripts(mode, Form(mode), runner, hand)
        extras = runners.get(Mode.EXTRAS)
        drawn[Mode.EXTRAS] = draw_scripts(Mode.EXTRAS, Form(Mode.EXTRAS), extras, hand)
    return drawn


@contextmanager
def kept_callbacks() -> Iterator[None]:
    """What scripts register within is forgotten after it."""
    callbacks = module("script_callbacks").callback_map
    before = {category: list(each) for category, each in callbacks.items()}
    try:
        yield
    finally:
        for category, each in before.items():
            callbacks[category][:] = each


@contextmanager
def quiet_calls() -> Iterator[None]:
    """What scripts raise within is not booked: without a page they may miss what they need."""
    heard = side().heard
    kept = list(heard)
    heard.clear()
    try:
        yield
    finally:
        heard[:] = kept
