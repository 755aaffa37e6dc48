"""Tabs that old scripts add to the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from gradio.context import Context

from webui.compat.page.old import extension_of, module
from webui.core.person import Role
from webui.extend.legacy import LegacyTab

_UNSAFE: Final = re.compile(r"[^\w-]+")
Within = Callable[[str], AbstractContextManager[None]]


def made_tabs(within: Within, role: Callable[[str], Role]) -> Sequence[LegacyTab]:
    """Ask all for their tabs; what one raises is booked with it."""
    found: list[LegacyTab] = []
    guarded = module("gesso_calls").guarded
    for each in module("script_callbacks").ordered_callbacks("ui_tabs"):
        extension = extension_of(each)
        with outside(), within(extension):
            made = guarded(extension, "on_ui_tabs", each.script, each.callback)
        for interface, title, id in made or ():
            found.append(
                LegacyTab(
                    title=str(title),
                    id=_UNSAFE.sub("_", str(id)),
                    extension=extension,
                    build=_builder(interface, extension, within),
                    role=role(extension),
                )
            )
    return found


@contextmanager
def outside() -> Iterator[None]:
    """Whatever page is being drawn, what is drawn within is no part of it yet."""
    with in_place():
        Context.root_block = Context.block = None
        yield


@contextmanager
def in_place() -> Iterator[None]:
    """Whatever is raised within, drawing goes on where it was: Gradio forgets the page when a
    gr.Blocks is left by an error."""
    kept = Context.root_block, Context.block
    try:
        yield
    finally:
        Context.root_block, Context.block = kept


def _builder(interface: Any, extension: str, within: Within) -> Callable[[Any], None]:
    def build(page: Any) -> None:
        with within(extension):
            interface.render()

    return build
