"""Notices when an extension does what it did not say it would: talks to other computers, starts
programs, writes where nothing is its own. It stops nobody, and code that wants to hide can: this
finds carelessness, not malice.

Every process that runs code of extensions begins a watch of its own; it can't be ended.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, Final

from webui.extend.manifest import FILE, ManifestError, Permission, id_from, read_manifest

log = logging.getLogger(__name__)

VARIABLE: Final = "GESSO_EXTENSION_FOLDERS"
"""Tells child processes where extensions are."""
DATA: Final = "GESSO_EXTENSION_DATA"
"""Tells child processes where extensions' own data is."""
NETWORK: Final = "network"
SUBPROCESS: Final = "subprocess"
WRITE: Final = "write"
WRITING: Final = frozenset({"open", "os.remove", "os.rename", "os.rmdir", "os.mkdir"})
FOR_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
STUDIO: Final = f"{Path(__file__).resolve().parents[1]}{os.sep}"
EVENTS: Final = WRITING | frozenset(
    {"socket.getaddrinfo", "socket.connect", "subprocess.Popen", "os.system"}
    | {"os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"}
)
DEEPEST: Final = 80
MOST_TOLD: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What an extension did without having declared it: `what` is the permission that it lacks,
    `detail` the host or the program."""

    extension: str
    what: str
    detail: str


class Watch:
    """Listens to what Python reports of itself. Each thing is told once."""

    def __init__(
        self, folders: Sequence[Path], tell: Callable[[Sighting], object], data: Path | None = None
    ) -> None:
        """`folders` hold extensions, `data` their own data by id; `tell` is called in the thread
        that did it."""
        self._data: Final = data
        self._passing: Final = Path(tempfile.gettempdir()).resolve()
        self._roots: Final = tuple(f"{folder.resolve()}{os.sep}" for folder in folders)
        self._tell: Final = tell
        self._told: Final[set[Sighting]] = set()
        self._known: Final[dict[str, tuple[str, Mapping[str, Permission]]]] = {}

    def begin(self) -> None:
        """Listen from now on."""
        os.environ[VARIABLE] = os.pathsep.join(self._roots)
        os.environ[DATA] = str(self._data or "")
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One report of Python's. What goes wrong here must not reach who caused it."""
        if event not in EVENTS or len(self._told) >= MOST_TOLD:
            return
        if event == "open" and not _is_for_writing(arguments):
            return
        try:
            self._judge(event, arguments, sys._getframe(1))
        except Exception:
            log.debug("A report of %s could not be judged.", event, exc_info=True)

    def _judge(self, event: str, arguments: tuple[Any, ...], frame: FrameType) -> None:
        file = self._file_at_work(frame, is_own=event in WRITING)
        if file is None:
            return
        id, permissions = self._extension(file)
        what = _permission(event)
        detail = self._strange_place(arguments[0], file, id) if what == WRITE else ""
        detail = detail if what == WRITE else _detail(event, arguments)
        if not detail or _is_declared(permissions.get(what), event, detail):
            return
        sighting = Sighting(extension=id, what=what, detail=detail)
        if sighting not in self._told:
            self._told.add(sighting)
            log.warning("The extension %s used %s undeclared: %s", id, what, detail)
            self._tell(sighting)

    def _strange_place(self, path: Any, file: str, id: str) -> str:
        """The path if it is neither in the extension's folder, nor among its data, nor passing."""
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        place = Path(os.path.realpath(os.fsdecode(path)))
        root = Path(next(root for root in self._roots if file.startswith(root)))
        own = [root / Path(file).relative_to(root).parts[0], self._passing]
        own += [self._data.resolve() / id] if self._data else []
        is_own = "__pycache__" in place.parts or place == Path(os.devnull)
        return "" if is_own or any(map(place.is_relative_to, own)) else str(place)

    def _file_at_work(self, frame: FrameType | None, *, is_own: bool = False) -> str | None:
        """The innermost file of an extension among those whose code runs in this thread. `is_own`:
        what the studio does when it is asked is not the extension's deed."""
        for _ in range(DEEPEST):
            if frame is None:
                return None
            if frame.f_code.co_filename.startswith(self._roots):
                return frame.f_code.co_filename
            name = frame.f_code.co_filename
            if is_own and name.startswith(STUDIO):
                return None
            frame = frame.f_back
        return None

    def _extension(self, file: str) -> tuple[str, Mapping[str, Permission]]:
        root = next(root for root in self._roots if file.startswith(root))
        name = file[len(root) :].partition(os.sep)[0]
        if root + name not in self._known:
            self._known[root + name] = _described(Path(root) / name)
        return self._known[root + name]


def watch_as_told(environment: Mapping[str, str]) -> None:
    """Begin a watch in a child process, over the folders that its parent named."""
    folders = [Path(each) for each in environment.get(VARIABLE, "").split(os.pathsep) if each]
    if folders:
        data = environment.get(DATA, "")
        Watch(folders, lambda sighting: None, Path(data) if data else None).begin()


def _permission(event: str) -> str:
    if event in WRITING:
        return WRITE
    return NETWORK if event.startswith("socket.") else SUBPROCESS


def _is_for_writing(arguments: tuple[Any, ...]) -> bool:
    """Of `open`: path, mode (None from os.open), flags."""
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & FOR_WRITING)


def _described(place: Path) -> tuple[str, Mapping[str, Permission]]:
    """An extension's id and permissions; an old one has declared nothing."""
    if (place / FILE).is_file():
        try:
            manifest = read_manifest(place)
        except ManifestError:
            return id_from(place.name), {}
        return manifest.id, manifest.permissions
    return id_from(place.name.removesuffix(".py")), {}


def _detail(event: str, arguments: tuple[Any, ...]) -> str:
    """The host or the program; empty for what is not told: this machine itself."""
    if event == "socket.getaddrinfo":
        return _host(arguments[0])
    if event == "socket.connect":
        address = arguments[1]
        return _host(address[0]) if isinstance(address, tuple) else ""
    first = arguments[0]
    if isinstance(first, list | tuple):
        first = first[0] if first else ""
    words = first if isinstance(first, str) else os.fsdecode(first or "")
    return words[:200]


def _host(host: Any) -> str:
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host or "")
    text = text.partition("%")[0]
    if not text or text == "localhost":
        return ""
    try:
        return "" if ip_address(text).is_loopback else text
    except ValueError:
        return text


def _is_declared(permission: Permission | None, event: str, detail: str) -> bool:
    """Hosts are compared by name, where one is looked up; the address that follows is its."""
    if permission is None:
        return False
    if event in WRITING and permission.paths:
        return any(fnmatch(detail, path) for path in permission.paths)
    if event != "socket.getaddrinfo" or not permission.hosts or _is_address(detail):
        return True
    return any(fnmatch(detail.lower(), host.lower()) for host in permission.hosts)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
