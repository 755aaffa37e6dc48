"""The extensions written for A1111, which are loaded all together: they share their modules."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.core.errors import ExtensionFailed
from webui.extend.calls import failure_of
from webui.extend.legacy import LegacyHost, LegacyPart
from webui.extend.memory import BootGuard

log = logging.getLogger(__name__)

NONE: Final[Mapping[str, Path]] = MappingProxyType({})


class OldScripts:
    """Used by one thread at a time. `host` is there while one of them is on."""

    def __init__(self, open_host: Callable[[], LegacyHost] | None) -> None:
        self._open_host: Final = open_host
        self._folders = NONE
        self.host: LegacyHost | None = None

    def load(self, folders: Mapping[str, Path], boot: BootGuard) -> Mapping[str, str]:
        """Have just these on, by id; tracebacks of those that failed. Does nothing when they are
        those that are on already."""
        if folders == self._folders:
            return {}
        try:
            with boot.loading(*folders):
                tracebacks = self._loaded(folders)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border of extensions
            tracebacks = dict.fromkeys(folders, failure_of("load", error).traceback)
        self._folders = {id: path for id, path in folders.items() if id not in tracebacks}
        return tracebacks

    def unload(self) -> None:
        """Have none on."""
        self._folders = NONE
        host, self.host = self.host, None
        if host is not None:
            host.unload()

    def parts(self) -> Mapping[str, LegacyPart]:
        """All scripts by id; none when the host fails."""
        if self.host is None:
            return {}
        try:
            return {part.id: part for part in self.host.parts()}
        except (Exception, SystemExit):
            log.exception("A1111's scripts can't be told apart.")
            return {}

    def pasted(self, text: str, fields: dict[str, str]) -> dict[str, str]:
        """The fields of a picture's text after the scripts looked at them."""
        if self.host is None:
            return fields
        try:
            return self.host.pasted(text, fields)
        except (Exception, SystemExit):
            log.exception("A1111's scripts can't read a picture's text.")
            return fields

    def _loaded(self, folders: Mapping[str, Path]) -> Mapping[str, str]:
        if not folders:
            self.unload()
            return {}
        if self.host is None:
            if self._open_host is None:
                raise ExtensionFailed("", "Scripts for A1111 can't be run here.")
            self.host = self._open_host()
        return self.host.load(folders)
