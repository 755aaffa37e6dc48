"""Addresses of files for the page's head."""

from __future__ import annotations

import os

from webui.compat.missing import unprovided


def webpath(fn: str) -> str:
    """The address of a file, anew when it was changed."""
    stamp = os.path.getmtime(fn) if os.path.exists(fn) else 0
    return f"file={fn}?{stamp}"


def javascript_html() -> str:
    """The program puts scripts into the page's head itself."""
    return ""


def css_html() -> str:
    """As `javascript_html`."""
    return ""


def reload_javascript() -> None:
    """As `javascript_html`."""


__getattr__ = unprovided(__name__)
