"""Names that libraries have dropped since old scripts were written, given back while such scripts
are on: only names that are missing, and nothing that changes what other code sees.

Not given back: unsafe reading of pickles. torch.load reads tensors only, as it does by default.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel

STAND_INS: Final = Path(__file__).parent / "stand_ins"
"""Small packages in place of distutils and the like; last on the path, so that real ones win."""
NUMPY: Final = MappingProxyType(
    {
        "float": float,
        "int": int,
        "bool": bool,
        "object": object,
        "str": str,
        "complex": complex,
        "long": int,
        "unicode": str,
        "float_": np.float64,
        "complex_": np.complex128,
        "cfloat": np.complex128,
        "singlecomplex": np.complex64,
        "longfloat": np.longdouble,
        "string_": np.bytes_,
        "unicode_": np.str_,
        "NaN": np.nan,
        "NAN": np.nan,
        "Inf": np.inf,
        "Infinity": np.inf,
        "infty": np.inf,
        "PINF": np.inf,
        "NINF": -np.inf,
        "product": np.prod,
        "cumproduct": np.cumprod,
        "alltrue": np.all,
        "sometrue": np.any,
        "round_": np.round,
        "mat": np.asmatrix,
        "row_stack": np.vstack,
        "asfarray": np.asarray,
        "VisibleDeprecationWarning": np.exceptions.VisibleDeprecationWarning,
        "ComplexWarning": np.exceptions.ComplexWarning,
        "RankWarning": np.exceptions.RankWarning,
        "ModuleDeprecationWarning": np.exceptions.ModuleDeprecationWarning,
    }
)
FILTERS: Final = MappingProxyType(
    {
        "ANTIALIAS": Image.Resampling.LANCZOS,
        "LINEAR": Image.Resampling.BILINEAR,
        "CUBIC": Image.Resampling.BICUBIC,
    }
)


class Drift:
    """What was given back, to be taken away again."""

    def __init__(self) -> None:
        self._given: list[tuple[Any, str]] = []

    def give(self) -> None:
        """Give all that is missing now."""
        for owner, name, value in _names():
            if name not in _own(owner):
                setattr(owner, name, value)
                self._given.append((owner, name))
        if str(STAND_INS) not in sys.path:
            sys.path.append(str(STAND_INS))

    def take(self) -> None:
        """Take it away again."""
        for owner, name in reversed(self._given):
            with suppress(AttributeError):
                delattr(owner, name)
        self._given.clear()
        with suppress(ValueError):
            sys.path.remove(str(STAND_INS))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(STAND_INS)):
                del sys.modules[name]
        importlib.invalidate_caches()


def _own(owner: Any) -> Any:
    """Names that really are there: numpy raises with advice for some that are not."""
    return vars(owner)


def _names() -> Iterator[tuple[Any, str, Any]]:
    for name, value in NUMPY.items():
        yield np, name, value
    for name, value in FILTERS.items():
        yield Image, name, value
    yield ImageDraw.ImageDraw, "textsize", _textsize
    yield ImageDraw.ImageDraw, "multiline_textsize", _textsize
    for font in (ImageFont.FreeTypeFont, ImageFont.ImageFont, ImageFont.TransposedFont):
        yield font, "getsize", _getsize
    yield ImageFont.FreeTypeFont, "getsize_multiline", _getsize_multiline
    yield ImageFont.FreeTypeFont, "getoffset", _getoffset
    yield inspect, "getargspec", _getargspec
    yield BaseModel, "__config__", type("Config", (), {})


def _textsize(
    self: Any, text: str, font: Any = None, spacing: float = 4, *rest: Any, **named: Any
) -> tuple[int, int]:
    """Width and height of a text from where it is drawn, as Pillow before 10 had it."""
    if "\n" in text:
        box = self.multiline_textbbox((0, 0), text, font, spacing=spacing)
    else:
        box = self.textbbox((0, 0), text, font)
    return int(box[2]), int(box[3])


def _getsize(self: Any, text: str, *rest: Any, **named: Any) -> tuple[int, int]:
    box = self.getbbox(text)
    return int(box[2]), int(box[3])


def _getsize_multiline(self: Any, text: str, *rest: Any, **named: Any) -> tuple[int, int]:
    sizes = [_getsize(self, line) for line in text.split("\n")]
    return max(width for width, _ in sizes), sum(height for _, height in sizes)


def _getoffset(self: Any, text: str) -> tuple[int, int]:
    box = self.getbbox(text)
    return int(box[0]), int(box[1])


def _getargspec(func: Callable[..., Any]) -> Any:
    """The first four of `inspect.getfullargspec`."""
    return inspect.getfullargspec(func)[:4]


DRIFT: Final = Drift()
"""One for the process: the libraries are shared by all of it."""
