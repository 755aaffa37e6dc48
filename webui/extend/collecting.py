"""What an extension adds to the studio, collected once when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import ModelFamily
from webui.extend.calls import Calls
from webui.extend.data import Context
from webui.extend.loaded import Loaded
from webui.extend.registered import Attachment, Axis, Preprocessor, Routes, Tab, TextToken
from webui.samplers.sampler import Sampler
from webui.schedules.schedule import Schedule
from webui.upscalers import Upscaler

KINDS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        "register_tabs": Tab,
        "ui_attach": Attachment,
        "api_routes": Routes,
        "xyz_axes": Axis,
        "register_samplers": Sampler,
        "register_schedules": Schedule,
        "register_families": ModelFamily,
        "register_upscalers": Upscaler,
        "register_preprocessors": Preprocessor,
        "register_text_tokens": TextToken,
    }
)
"""Hooks that are handed `register`, and what it takes."""


def collect(loaded: Loaded, calls: Calls, ctx: Context) -> Mapping[str, tuple[Any, ...]]:
    """What each of these hooks registers. A hook that fails adds nothing; that is booked."""
    registered: dict[str, tuple[Any, ...]] = {}
    for hook, kind in KINDS.items():
        parts: list[Any] = []

        def register(part: Any, kind: type[Any] = kind, parts: list[Any] = parts) -> None:
            if not isinstance(part, kind):
                raise TypeError(f"register takes a {kind.__name__}, not a {type(part).__name__}")
            parts.append(part)

        outcome = calls.call(loaded, hook, {"register": register, "ctx": ctx})
        if parts and outcome.failure is None:
            registered[hook] = tuple(parts)
    return MappingProxyType(registered)
