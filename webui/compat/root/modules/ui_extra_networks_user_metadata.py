"""The editor of what is noted of a card. The program has its own."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


class UserMetadataEditor:
    """Kept for scripts that derive theirs from it; not drawn."""

    def __init__(self, ui: Any, tabname: str, page: Any) -> None:
        self.ui = ui
        self.tabname = tabname
        self.page = page
        self.id_part = f"{tabname}_{getattr(page, 'extra_networks_tabname', '')}_edit_user_metadata"

    def create_editor(self) -> None:
        """Draw it."""


__getattr__ = unprovided(__name__)
