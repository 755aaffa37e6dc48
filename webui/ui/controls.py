"""Gradio's controls with our own reading of what the browser sends.

Subclasses, not changed instances: Gradio makes a control anew whenever an event leaves it out or
updates it, and the new one has only what its class has.
"""

from __future__ import annotations

from abc import ABCMeta
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta


class _Unwritten(ComponentMeta):  # type: ignore[misc]
    """Makes a class as Gradio does, but writes no .pyi file beside its source."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> _Unwritten:
        return ABCMeta.__new__(cls, name, bases, attributes)


class Slider(gr.Slider, metaclass=_Unwritten):  # type: ignore[misc]
    """A slider that takes every number. Gradio's answers with a toast far from the control; ours
    is checked with the request, and the control at fault is marked."""

    is_template = True  # Gradio's word for: drawn by what draws the parent class

    def preprocess(self, payload: float | None) -> float | None:
        """The number as it is."""
        return payload


class Number(gr.Number, metaclass=_Unwritten):  # type: ignore[misc]
    """A number field that takes every number, as `Slider` does."""

    is_template = True

    def preprocess(self, payload: float | None) -> float | None:
        """The number as it is."""
        return payload


class PicturePlace(gr.Image, metaclass=_Unwritten):  # type: ignore[misc]
    """A place for a picture whose value is the path of the file, unread.

    Gradio would open the file to see what it is; ours are opened by the input store only, which
    refuses what is too large or no picture with words that are shown beside the control.
    """

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        """Where the file lies."""
        return payload.path if payload else None


class Canvas(gr.ImageEditor, metaclass=_Unwritten):  # type: ignore[misc]
    """A picture to paint on, whose parts come as bytes, unread, as with `PicturePlace`."""

    is_template = True

    def convert_and_format_image(self, file: Any, flatten_on_white: bool = False) -> bytes | None:
        """One part as it came: bytes from memory, or the file of an upload."""
        if file is None or isinstance(file, bytes):
            return file
        return Path(file.path).read_bytes()
