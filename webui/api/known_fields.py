"""A misspelt field of a request is refused: leaving it out silently would make another picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from webui.core.errors import InvalidRequest


def refuse_unknown_fields(kind: type[Any], body: bytes) -> None:
    """Raises InvalidRequest for the first field of a JSON body that the dataclass doesn't have."""
    for field in _unknown(kind, json.loads(body), ""):
        raise InvalidRequest(field, f"“{field}” is not a known field. Remove it.")


def _unknown(kind: type[Any], data: object, prefix: str) -> Iterator[str]:
    fields = get_type_hints(kind)
    for name, value in data.items() if isinstance(data, dict) else ():
        if name not in fields:
            yield prefix + name
        for part in (fields.get(name), *get_args(fields.get(name))):
            if isinstance(part, type) and is_dataclass(part):
                yield from _unknown(part, value, f"{prefix}{name}.")
