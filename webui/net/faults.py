"""Why another server is not asked, or does not answer. Both texts are fit for a person."""

from __future__ import annotations

from webui.core.errors import InvalidRequest


class FetchRefused(InvalidRequest):
    """It can't be had, and trying again would not help."""

    def __init__(self, message: str) -> None:
        super().__init__("address", message)


class FetchCut(InvalidRequest):
    """The other side can't be reached or fell silent; it may work later."""

    def __init__(self, message: str) -> None:
        super().__init__("address", message)
