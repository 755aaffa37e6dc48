"""Small things of distutils.util."""

from __future__ import annotations


def strtobool(val: str) -> int:
    """1 or 0 for words of either. Raises ValueError for others."""
    word = val.lower()
    if word in ("y", "yes", "t", "true", "on", "1"):
        return 1
    if word in ("n", "no", "f", "false", "off", "0"):
        return 0
    raise ValueError(f"invalid truth value {val!r}")
