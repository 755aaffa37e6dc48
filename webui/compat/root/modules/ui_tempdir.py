"""Files that Gradio keeps for the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from webui.compat.missing import unprovided


def _folder() -> str:
    from gradio.utils import get_upload_folder

    return os.path.abspath(get_upload_folder())


def is_gradio_temp_path(path: Any) -> bool:
    """Whether a file is one of those."""
    return os.path.abspath(str(path)).startswith(_folder() + os.sep)


def register_tmp_file(gradio: Any, filename: str) -> None:
    """Files are served by the gate's rules; nothing is to be noted."""


def check_tmp_file(gradio: Any, filename: str) -> bool:
    """Whether a file may be served as one of Gradio's."""
    return is_gradio_temp_path(filename)


def save_pil_to_file(pil_image: Any, cache_dir: str | None = None, format: str = "png") -> str:
    """The path of a picture that was written among them."""
    from gradio.processing_utils import save_pil_to_cache

    folder = cache_dir or _folder()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(save_pil_to_cache(pil_image, cache_dir=folder, format=format))


def on_tmpdir_changed() -> None:
    """The folder doesn't change."""


def cleanup_tmpdr() -> None:
    """Gradio clears it itself."""


__getattr__ = unprovided(__name__)
