"""Tabs of extensions, and what they draw before or after parts of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block, Blocks
from gradio.context import Context

from webui.core.errors import GessoError
from webui.core.person import Role
from webui.extend.legacy import LegacyTab
from webui.extend.registered import Attachment, Tab
from webui.ui.extension_page import ExtensionPage
from webui.ui.page import Page

PREFIX: Final = "ext"


def extension_tabs(page: Page) -> None:
    """A tab for each that is registered. Their ids name the role: the look leaves out those that
    are not for whoever looks, and their events ask again."""
    for number, (id, tab) in enumerate(page.studio.extensions.tabs()):
        page.guard.draw(id, "register_tabs", _drawing(page, id, tab, number), _role(tab))
    legacy = page.studio.extensions.legacy
    for each in legacy.tabs() if legacy is not None else ():
        page.guard.draw(each.extension, "on_ui_tabs", _old_drawing(page, each), _role(each))


def attachments(page: Page) -> None:
    """What is drawn at parts of the page. Called when all of it is there."""
    for id, attachment in page.studio.extensions.attachments():
        draw = _attaching(page, id, attachment)
        page.guard.draw(id, "ui_attach", draw, Role.ARTIST)


def _role(tab: Tab) -> Role:
    return tab.role if isinstance(tab.role, Role) else Role.OWNER


def _drawing(page: Page, id: str, tab: Tab, number: int) -> Callable[[], None]:
    name = f"{PREFIX}_{_role(tab).value}_{id}_{number}"

    def draw() -> None:
        with gr.Tab(str(tab.title), id=name, elem_id=f"tab_{name}"):
            tab.build(ExtensionPage(page, id))

    return draw


def _old_drawing(page: Page, tab: LegacyTab) -> Callable[[], None]:
    def draw() -> None:
        with gr.Tab(tab.title, id=tab.id, elem_id=f"tab_{tab.id}"):
            tab.build(ExtensionPage(page, tab.extension))

    return draw


def _attaching(page: Page, id: str, attachment: Attachment) -> Callable[[], None]:
    def draw() -> None:
        root = Context.root_block
        anchor = _find(root, attachment.anchor) if root is not None else None
        if anchor is None:
            raise GessoError(
                f"“{id}” wants to draw at “{attachment.anchor}”, and no part of the page has this "
                "id. docs/extensions/page.md lists them."
            )
        with gr.Column(elem_classes="gesso-attached") as place:
            attachment.build(ExtensionPage(page, id))
        _move(place, anchor, attachment.is_before)

    return draw


def _find(root: Blocks, elem_id: str) -> Block | None:
    return next((each for each in root.blocks.values() if each.elem_id == elem_id), None)


def _move(place: Block, anchor: Block, is_before: bool) -> None:
    """From the end of the page to the anchor; out of the frame that Gradio puts around inputs."""
    while isinstance(anchor.parent, gr.layouts.Form):
        anchor = anchor.parent
    old: Any = place.parent
    new: Any = anchor.parent
    old.children.remove(place)
    new.children.insert(new.children.index(anchor) + (0 if is_before else 1), place)
    place.parent = new
