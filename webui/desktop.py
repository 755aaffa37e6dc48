"""Whether somebody sits in front of this machine, and showing them the page."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping


def has_desktop(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser window would be seen: not over SSH, not without a screen.

    `platform` is one of sys.platform's names.
    """
    if environment.get("CI") or environment.get("SSH_CONNECTION"):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def show_page(address: str) -> None:
    """Open the page in the person's browser, in the background: some block until closed."""
    if has_desktop(sys.platform, os.environ):
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
