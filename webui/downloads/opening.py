"""The downloads of a studio, put together from its settings."""

from __future__ import annotations

from collections.abc import Callable

from webui.core.events import DownloadChanged
from webui.core.shelf import Shelf
from webui.downloads.download import Options
from webui.downloads.downloads import Downloads, Surroundings
from webui.settings import Settings


def open_downloads(
    current: Callable[[], Settings], shelf: Shelf, tell: Callable[[DownloadChanged], object]
) -> Downloads:
    """Downloads to a shelf; `current` gives the settings in force."""
    now = current()
    return Downloads(
        Surroundings(
            data=now.data,
            shelf=shelf,
            options=lambda: _options(current()),
            tell=tell,
            allowed_hosts=list(filter(None, map(str.strip, now.download_hosts.split(",")))),
        )
    )


def _options(settings: Settings) -> Options:
    return Options(
        hugging_face=settings.hugging_face.rstrip("/"),
        civitai=settings.civitai.rstrip("/"),
        at_once=settings.downloads_at_once,
        most_bytes=settings.download_most_gb * 10**9,
        keep_free_bytes=settings.keep_free_mb * 10**6,
    )
