"""Why a download does not go on. Both texts are fit for a person."""

from __future__ import annotations

from webui.core.errors import InvalidRequest


class DownloadRefused(InvalidRequest):
    """It can't be had, and trying again would not help."""

    def __init__(self, message: str) -> None:
        super().__init__("address", message)


class DownloadCut(InvalidRequest):
    """The other side can't be reached or fell silent; it may work later."""

    def __init__(self, message: str) -> None:
        super().__init__("address", message)
