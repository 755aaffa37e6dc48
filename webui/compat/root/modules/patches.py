"""Putting functions in the place of others, and taking them back."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from webui.compat.missing import unprovided

originals: dict[Any, dict[Any, Any]] = defaultdict(dict)


def patch(key: Any, obj: Any, field: str, replacement: Any) -> Any:
    """Put something into a field of an object; what was there. Raises RuntimeError if `key` has
    done so before."""
    known = originals[key]
    if (obj, field) in known:
        raise RuntimeError(f"patch for {field} is already applied")
    before = getattr(obj, field)
    known[(obj, field)] = before
    setattr(obj, field, replacement)
    return before


def undo(key: Any, obj: Any, field: str) -> None:
    """Put back what was there. Raises RuntimeError if `key` has put nothing there."""
    known = originals[key]
    if (obj, field) not in known:
        raise RuntimeError(f"there is no patch for {field} to undo")
    setattr(obj, field, known.pop((obj, field)))


def original(key: Any, obj: Any, field: str) -> Any:
    """What was there; None if `key` has put nothing there."""
    return originals[key].get((obj, field))


__getattr__ = unprovided(__name__)
