"""Installing for a studio: put together from its settings and its extensions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.errors import NotFound
from webui.core.events import InstallChanged
from webui.extend.extension import Extension
from webui.extend.extensions import Extensions
from webui.installs.doctor import Doctor, NoDoctor
from webui.installs.fetching import Fetching
from webui.installs.git import Git
from webui.installs.installs import Installs
from webui.installs.known_bad import read_known_bad
from webui.installs.lockfile import LockFile
from webui.installs.packages.host import read_host
from webui.installs.packages.uv import personal_uv
from webui.installs.places import Places
from webui.installs.surroundings import Surroundings
from webui.installs.task import Task
from webui.net.fetch import Fetcher
from webui.net.guard import Guard
from webui.settings import Settings

log = logging.getLogger(__name__)

SCRIPT_ROOTS: Final = (Path(__file__).resolve().parent.parent / "compat" / "root",)


def open_installs(
    settings: Settings,
    extensions: Extensions,
    tell: Callable[[InstallChanged], object],
    doctor: Doctor | None = None,
) -> Installs:
    """Installing into the extensions folder of these settings."""
    places = Places(
        extensions=settings.extensions,
        notes=settings.data / "extensions",
        work=settings.data / "installs",
    )
    hosts = list(filter(None, map(str.strip, settings.install_hosts.split(","))))
    guard = Guard(hosts, setting="install_hosts")
    fetcher = Fetcher(guard=guard, token_for=lambda origin: "")
    return Installs(
        Surroundings(
            places=places,
            fetching=Fetching(fetcher=fetcher, git=Git(guard=guard)),
            switches=Switchboard(extensions=extensions),
            host=lambda: read_host(without=places.packages),
            uv=lambda: personal_uv(places.work / "uv-cache"),
            known_bad=read_known_bad(),
            tell=lambda task: tell(changed(task)),
            doctor=doctor or NoDoctor(),
            script_roots=SCRIPT_ROOTS,
            index_address=settings.extension_index,
        )
    )


def held_back(settings: Settings) -> frozenset[str]:
    """The ids of installed extensions that turned out to do harm: they stay off."""
    lock, bad = LockFile(settings.data / "extensions").now, read_known_bad()
    found = {entry.id: bad.in_source(entry.now.source) for entry in lock.entries}
    for id, reasons in found.items():
        for reason in reasons:
            log.error("“%s” stays off. %s", id, reason)
    return frozenset(id for id, reasons in found.items() if reasons)


def changed(task: Task) -> InstallChanged:
    """The event that tells of a task."""
    return InstallChanged(
        task_id=task.id, state=task.state.value, fraction=task.fraction, note=task.note
    )


@dataclass(frozen=True, kw_only=True)
class Switchboard:
    """The extensions of a studio, as installing asks for them."""

    extensions: Extensions

    def scan(self) -> None:
        """Look into the folders again."""
        self.extensions.scan()

    def enable(self, id: str) -> str:
        """Switch one on; why it is not on in spite of that, or empty."""
        return _fault(self.extensions.enable(id))

    def disable(self, id: str) -> None:
        """Switch one off. One that is not there is no matter."""
        try:
            self.extensions.disable(id)
        except NotFound:
            return

    def reload(self, id: str) -> str:
        """Read one's code anew; as `enable`."""
        return _fault(self.extensions.reload(id))

    def enabled(self) -> frozenset[str]:
        """The ids of those that are switched on."""
        return frozenset(each.id for each in self.extensions.all() if each.is_enabled)

    def is_taken(self, id: str) -> bool:
        """Whether an extension has this id."""
        return any(each.id == id for each in self.extensions.all())

    def data(self, id: str) -> Path:
        """The folder of an extension's own data."""
        return self.extensions.data(id)


def _fault(extension: Extension) -> str:
    return "" if extension.is_on else extension.error
