"""Translations of the page: files of words by language."""

from __future__ import annotations

import json
from pathlib import Path

from webui.compat.missing import unprovided

localizations: dict[str, str] = {}


def list_localizations(dirname: str = "") -> None:
    """Look for <language>.json in the folders of extensions."""
    from modules import extensions

    localizations.clear()
    for extension in extensions.active():
        for path in sorted((Path(extension.path) / "localizations").glob("*.json")):
            localizations[path.stem] = str(path)


def localization_js(current_localization_name: str) -> str:
    """The words of a language for the page's scripts."""
    path = localizations.get(current_localization_name)
    words = json.loads(Path(path).read_text("utf-8")) if path else {}
    return f"window.localization = {json.dumps(words)}"


__getattr__ = unprovided(__name__)
