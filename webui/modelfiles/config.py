"""Reads the JSON files of a diffusers folder, without what could make a library run other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

MAX_BYTES: Final = 4 * 2**20
MAX_DEPTH: Final = 20
CODE: Final = frozenset(
    {"auto_map", "custom_pipeline", "custom_pipelines", "trust_remote_code", "code_revision"}
    | {"attn_implementation", "_attn_implementation", "_attn_implementation_internal"}
    | {"experts_implementation", "_experts_implementation", "_experts_implementation_internal"}
    | {"use_kernels", "kernel_config", "_name_or_path", "name_or_path", "transformers_weights"}
)
"""Names of code and kernels to fetch and import: the libraries obey some of them even where they
were told to trust nobody. What a model computes never depends on them."""


def harmless_config(file: Path) -> dict[str, Any]:
    """What a JSON file says, but for `CODE` at any depth. Raises OSError, ValueError."""
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"{file.name} is larger than {MAX_BYTES // 2**20} MB")
    try:
        said = json.loads(file.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError(f"{file.name} is nested without end") from error
    if not isinstance(said, dict):
        raise ValueError(f"{file.name} holds no settings")
    return {key: _harmless(value, 0) for key, value in said.items() if key not in CODE}


def _harmless(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("settings are nested without end")
    if isinstance(value, dict):
        return {key: _harmless(each, depth + 1) for key, each in value.items() if key not in CODE}
    return [_harmless(each, depth + 1) for each in value] if isinstance(value, list) else value
