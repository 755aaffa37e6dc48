"""Why somebody is not let in. Everything else that can go wrong is in core/errors.py."""

from __future__ import annotations

from webui.core.errors import GessoError


class WrongPassword(GessoError):
    """Name and password don't belong together; it is not told which of them is wrong."""

    def __init__(self) -> None:
        super().__init__("This name and password don't fit. Check both, then try again.")


class TooManyTries(GessoError):
    """Too many passwords were tried; none was looked at this time."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, round(wait_s + 0.5))
        """Whole seconds until the next try counts."""
        super().__init__(
            f"Too many passwords were tried. Wait {_words(self.wait_s)}, then try again."
        )


def _words(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"
