"""What the buttons of picture tabs have in common. Not a module of A1111's."""

from __future__ import annotations

from typing import Any

from modules import infotext_utils, processing


def pressed(p: Any, runner: Any) -> tuple[list[Any], str, str, str]:
    """A job is made: pictures, their texts as JSON, and words about them."""
    processed = runner.run(p, *(p.script_args or ())) if runner is not None else None
    if processed is None:
        processed = processing.process_images(p)
    return processed.images, processed.js(), str(processed.info), str(processed.comments)


def overrides(texts: Any) -> dict[str, Any]:
    """Options for one job, "Name: value" each."""
    if not texts:
        return {}
    return dict(infotext_utils.create_override_settings_dict(texts))
