"""Makes safetensors files of pickles, in a process that can do nothing else, and keeps them.

The original stays as it is. What was made is used again until the original changes, and goes when
the original has gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import queue
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from webui.core.errors import ModelUnreadable
from webui.core.files import TEMP_PREFIX, sync_folder
from webui.modelfiles import header
from webui.modelfiles.container import PICKLES, Container, container_of
from webui.modelfiles.pickled_folder import assemble, pickled_parts, stamp_of

log = logging.getLogger(__name__)

RULES: Final = "1"
"""Raise this when files are converted differently: all are converted again then."""
BOOTSTRAP: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from webui.modelfiles.convert import main; main(sys.argv[2], sys.argv[3], int(sys.argv[4]))"
)
LEAST_S: Final = 30
BYTES_PER_S: Final = 10 * 2**20
"""What a converter must do at least: far below any disk, but it may not run for ever."""
KEPT_FREE_BYTES: Final = 256 * 2**20
POLL_S: Final = 0.1
DIGITS: Final = 24
ENVIRONMENT: Final = ("SYSTEMROOT", "WINDIR")
"""What Windows needs to start anything; nothing else is handed on."""


@dataclass(frozen=True, kw_only=True)
class Converting:
    """A conversion goes on; `fraction` of it is done, 0..1."""

    fraction: float


class Converter:
    """Safe versions of model files, in a folder of their own. Usable from any thread."""

    def __init__(self, folder: Path | None) -> None:
        """None: in a folder that goes with this object."""
        self._folder: Final = folder or Path(tempfile.mkdtemp(prefix="gesso-converted-"))
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def known(self, path: Path) -> Path | None:
        """Where the safe version of a file or a diffusers folder is, itself if it is safe as it
        is; None if it has yet to be converted. Raises ModelUnreadable."""
        is_pickled = pickled_parts(path) if path.is_dir() else container_of(path) in PICKLES
        if not is_pickled:
            return path
        made = self._place(path)
        return made if made.exists() else None

    def safe_path(self, path: Path) -> Path:
        """As `convert`, for callers that have nothing to tell while they wait."""
        made = self.convert(path)
        while True:
            try:
                next(made)
            except StopIteration as done:
                found: Path = done.value
                return found

    def convert(self, path: Path) -> Generator[Converting, None, Path]:
        """The safe version of a model file: itself if it is safe as it is, else the safetensors
        file that was, or now is, made of it; so of a diffusers folder, whose weights are then
        safetensors files. Closing the generator ends the conversion; something
        is yielded every tenth of a second. Raises ModelUnreadable."""
        if (known := self.known(path)) is not None:
            return known
        made = self._place(path)
        started = time.monotonic()
        try:
            if path.is_dir():
                yield from self._make_folder(path, made)
            else:
                yield from self._make(path, container_of(path), made)
        except OSError as error:
            raise ModelUnreadable(path.name, f"it can't be converted ({error}).") from error
        log.info("Converted %s in %.1f s.", path.name, time.monotonic() - started)
        self._tidy(path, made)
        return made

    def _place(self, path: Path) -> Path:
        """In a folder for the original, in one for how it is now, by its own name: messages about
        a model go by the name of its file."""
        try:
            stat = path.stat()
        except OSError as error:
            raise ModelUnreadable(path.name, f"it can't be read ({error.strerror}).") from error
        if path.is_dir():
            return self._home(path) / f"{RULES}-{stamp_of(path)}" / path.name
        stamp = f"{RULES}-{stat.st_size:x}-{stat.st_mtime_ns:x}"
        return self._home(path) / stamp / f"{path.stem}.safetensors"

    def _home(self, path: Path) -> Path:
        return self._folder / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:DIGITS]

    def _make_folder(self, folder: Path, made: Path) -> Iterator[Converting]:
        """Each pickle in it is converted as any other; then all files are put together."""
        files = [file for part in pickled_parts(folder) for file in part.files.values()]
        sizes = {file: _size_of(file, folder) for file in files}
        done, safe = 0, dict[Path, Path]()
        for file in files:
            conversion = self.convert(file)
            try:
                while True:
                    share = next(conversion).fraction * sizes[file]
                    yield Converting(fraction=(done + share) / max(1, sum(sizes.values())))
            except StopIteration as end:
                safe[file] = end.value
            finally:
                conversion.close()
            done += sizes[file]
        made.parent.mkdir(parents=True, exist_ok=True)
        assemble(folder, safe, made)

    def _make(self, path: Path, container: Container, made: Path) -> Iterator[Converting]:
        size = path.stat().st_size
        made.parent.mkdir(parents=True, exist_ok=True)
        _check_room(path, made.parent, size)
        temp = made.parent / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
        try:
            with path.open("rb") as source, temp.open("xb") as target:
                yield from _Run(path, container, source, target).events()
            _check_made(path, temp)
            os.replace(temp, made)
            sync_folder(made.parent)
        finally:
            temp.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # only where nothing was made
                made.parent.rmdir()
                made.parent.parent.rmdir()

    def _tidy(self, path: Path, made: Path) -> None:
        """Remove what was made of earlier versions of the file, and of files that are gone."""
        with contextlib.suppress(OSError):
            for older in made.parent.parent.iterdir():
                if older != made.parent:
                    shutil.rmtree(older, ignore_errors=True)
            for home in self._folder.iterdir():
                if _is_orphan(home):
                    shutil.rmtree(home, ignore_errors=True)


class _Run:
    """One life of a converter's process."""

    def __init__(
        self, path: Path, container: Container, source: IO[bytes], target: IO[bytes]
    ) -> None:
        self._path: Final = path
        self._limit_s: Final = LEAST_S + path.stat().st_size // BYTES_PER_S
        arguments = [json.dumps(sys.path), container.value, str(path), str(self._limit_s)]
        kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        self._process: Final = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", BOOTSTRAP, *arguments],
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            env=kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._lines: Final[queue.SimpleQueue[bytes]] = queue.SimpleQueue()
        self._reader: Final = threading.Thread(target=self._listen, name="convert", daemon=True)
        self._reader.start()

    def events(self) -> Iterator[Converting]:
        """Until it has ended. Raises ModelUnreadable."""
        began, fraction, refusal, is_over = time.monotonic(), 0.0, "", False
        try:
            while not is_over:
                yield Converting(fraction=fraction)
                is_late = time.monotonic() - began > self._limit_s
                if is_late:
                    raise self._refused(f"it was not done after {self._limit_s} seconds.")
                line = self._next_line()
                is_over = line == b""
                said = _words(line)
                fraction = said.get("done", 0) / max(1, said.get("total", 0)) or fraction
                refusal = said.get("refused", refusal)
        finally:
            self._end()
        if self._process.returncode != 0:
            raise self._refused(
                refusal or "it could not be converted: the converter stopped. Look for another."
            )

    def _refused(self, why: str) -> ModelUnreadable:
        return ModelUnreadable(self._path.name, why)

    def _next_line(self) -> bytes | None:
        """What the process says next, b"" after its last word; None when nothing came yet."""
        try:
            return self._lines.get(timeout=POLL_S)
        except queue.Empty:
            return None

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line)
        self._process.wait()
        self._lines.put(b"")

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()


def _words(line: bytes | None) -> Mapping[str, Any]:
    """What a line says; a line that is no JSON comes from a crash."""
    if not line:
        return {}
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        log.debug("converter: %s", line.decode(errors="replace").rstrip())
        return {}


def _size_of(file: Path, folder: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError as error:
        raise ModelUnreadable(
            folder.name, f"its file {file.parent.name}/{file.name} is missing. Download it again."
        ) from error


def _check_room(path: Path, folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + KEPT_FREE_BYTES:
        raise ModelUnreadable(
            path.name,
            f"it is converted before its first use, which takes {size / 2**30:.1f} GB in {folder}; "
            f"{free / 2**30:.1f} GB are free. Make room, or look for a safetensors version.",
        )


def _check_made(path: Path, made: Path) -> None:
    """What came out is believed no more than what went in."""
    try:
        header.read_front(made)
    except ModelUnreadable as error:
        raise ModelUnreadable(
            path.name, "it could not be converted: the result is damaged. Look for another version."
        ) from error


def _is_orphan(home: Path) -> bool:
    """Whether conversions in a folder belong to a file that is gone. One that is being made is no
    orphan: it has no file yet."""
    for made in home.rglob("*.safetensors"):
        with contextlib.suppress(ModelUnreadable, OSError):
            if original := header.read_front(made).metadata.get("converted"):
                return not Path(original).exists()
    return False
