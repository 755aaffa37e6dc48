"""The page's head for old scripts: the bridge, which loads their JavaScript, and styles."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from webui.compat.page.files import PREFIX, styles_of

ASSETS: Final = Path(__file__).parent / "assets"
BRIDGE: Final = "bridge.js"


def head_of(folders: Mapping[str, Path]) -> str:
    """Tags. Their scripts are not among them: the bridge loads those in order, once it is there."""
    styles = [f"{PREFIX}/{path.name}?v={_stamp(path)}" for path in sorted(ASSETS.glob("*.css"))]
    styles += [asset.address for asset in styles_of(folders)]
    tags = [f'<link rel="stylesheet" href="{escape(address)}">' for address in styles]
    bridge = f"{PREFIX}/{BRIDGE}?v={_stamp(ASSETS / BRIDGE)}"
    return "\n".join([*tags, f'<script src="{escape(bridge)}"></script>']) + "\n"


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
