"""Files that old handlers give to the page: copied to where Gradio may serve them from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.processing_utils import save_file_to_cache

May = Callable[[Path], bool]
"""Whether whoever pressed the button may see a file."""

_FILES: Final = (gr.Image, gr.Gallery, gr.File, gr.Video, gr.Audio, gr.Model3D)


def lent(value: Any, part: Any, may: May) -> Any:
    """A value for `part` with copies in place of the files that may be seen. Gradio refuses the
    others."""
    if not isinstance(part, _FILES):
        return value
    if isinstance(value, list):
        return [lent(each, part, may) for each in value]
    if isinstance(value, tuple) and len(value) == 2:
        return lent(value[0], part, may), value[1]
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return lent(value["name"], part, may)
    if isinstance(value, str | Path) and value and _is_file(value) and may(Path(value)):
        return save_file_to_cache(Path(value), cache_dir=part.GRADIO_CACHE)
    return value


def _is_file(value: str | Path) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False
