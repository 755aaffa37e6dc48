"""Qwen-Image-Edit since its release of September 2025: pictures have numbers, and are shown to the
text encoder at a smaller size."""

from __future__ import annotations

from dataclasses import replace

from webui.engine.architectures import qwen_edit

ARCHITECTURE = replace(
    qwen_edit.ARCHITECTURE, id="qwen_edit_plus", make_encoder=qwen_edit.make_plus
)
