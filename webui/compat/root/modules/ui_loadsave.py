"""ui-config.json: what the page's controls are set to at first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from webui.compat.missing import unprovided


class UiLoadsave:
    """Components by the names that such a file has for them: "<tab>/<label>/value"."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.component_mapping: dict[str, Any] = {}
        self.ui_settings = self.read_from_file() if Path(filename).is_file() else {}

    def add_component(self, path: str, x: Any) -> None:
        """A component, and what the file says of it."""
        self.component_mapping[f"{path}/value"] = x

    def add_block(self, x: Any, path: str = "") -> None:
        """All components that lie in a part of the page."""
        for child in getattr(x, "children", ()):
            self.add_block(child, path)
        label = getattr(x, "label", None)
        if isinstance(label, str) and label:
            self.add_component(f"{path}/{label}", x)

    def read_from_file(self) -> dict[str, Any]:
        """What the file holds."""
        found: dict[str, Any] = json.loads(Path(self.filename).read_text("utf-8"))
        return found

    def write_to_file(self, current_ui_settings: dict[str, Any]) -> None:
        """The program's presets keep values; an old install's file is only read."""

    def dump_defaults(self) -> None:
        """As `write_to_file`."""


__getattr__ = unprovided(__name__)
