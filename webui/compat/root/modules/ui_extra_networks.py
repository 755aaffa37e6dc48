"""Pages of cards. The program has its own; pages that scripts add are kept but not drawn."""

from __future__ import annotations

import json
import os
from typing import Any

from webui.compat.missing import unprovided

extra_pages: list[Any] = []
allowed_dirs: set[str] = set()


def quote_js(s: Any) -> str:
    """A text as JavaScript writes it, for use in an attribute."""
    return json.dumps(str(s)).replace("&", "&amp;").replace('"', "&quot;")


def register_page(page: Any) -> None:
    """Keep a page."""
    extra_pages.append(page)
    allowed_dirs.update(os.path.abspath(each) for each in page.allowed_directories_for_previews())


class ExtraNetworksPage:
    """One page of cards."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.name = title.lower()
        self.id_page = self.name.replace(" ", "_")
        self.extra_networks_tabname = self.id_page
        self.allow_prompt = True
        self.allow_negative_prompt = False
        self.metadata: dict[str, Any] = {}
        self.items: dict[str, Any] = {}

    def refresh(self) -> None:
        """Look for its things anew."""

    def list_items(self) -> Any:
        """Its things, one after the other."""
        return ()

    def allowed_directories_for_previews(self) -> list[str]:
        """Where their pictures lie."""
        return []


class ExtraNetworksUi:
    """What A1111 draws them with."""

    def __init__(self) -> None:
        self.pages: list[Any] = []
        self.stored_extra_pages: list[Any] = list(extra_pages)
        self.tabname = ""


def create_ui(interface: Any = None, unrelated_tabs: Any = None, tabname: str = "") -> Any:
    """Pages without a place on the page."""
    made = ExtraNetworksUi()
    made.tabname = tabname
    return made


def setup_ui(ui: Any, gallery: Any) -> None:
    """Nothing is drawn, so nothing is wired."""


__getattr__ = unprovided(__name__)
