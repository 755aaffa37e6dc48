"""What is remembered of extensions from one start to the next: data/extensions/state.json."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.files import write_atomic
from webui.extend.bisection import Bisection
from webui.extend.extension import Failure

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """All by the extension's id."""

    enabled: Mapping[str, bool] = field(default_factory=dict)
    """What somebody chose; the others are as they come."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: Mapping[str, tuple[Failure, ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why the studio switched one off."""
    registered: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Names of what each adds, by kind: so that a request for it can be told whose it was."""
    bisection: Bisection | None = None


class Memory:
    """The file, and what is in it. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock: Final = threading.Lock()
        self._now = self._read()

    @property
    def now(self) -> Remembered:
        """What is remembered."""
        return self._now

    def note(self, id: str, **changes: Any) -> None:
        """Change what is remembered of one extension, each field by its name; None forgets it."""
        with self._lock:
            fields: dict[str, Any] = {name: dict(getattr(self._now, name)) for name in changes}
            for name, value in changes.items():
                fields[name].pop(id, None)
                if value is not None:
                    fields[name][id] = value
            self._write(replace(self._now, **fields))

    def add_failure(self, id: str, failure: Failure) -> tuple[Failure, ...]:
        """One failure more; all since they were last forgotten."""
        with self._lock:
            failures = (*self._now.failures.get(id, ()), failure)
            self._write(replace(self._now, failures={**self._now.failures, id: failures}))
        return failures

    def set_bisection(self, step: Bisection | None) -> None:
        """Where a search stands; None ends it."""
        with self._lock:
            self._write(replace(self._now, bisection=step))

    def _write(self, now: Remembered) -> None:
        if now == self._now:
            return
        self._now = now
        try:
            write_atomic(self._path, to_json(now).encode())
        except OSError as error:  # a full disk must not end the job that a failure is booked for
            log.warning("%s can't be written: %s.", self._path, error)

    def _read(self) -> Remembered:
        try:
            return from_json(Remembered, self._path.read_bytes())
        except FileNotFoundError:
            return Remembered()
        except (OSError, InvalidRequest) as error:
            log.warning("%s can't be used and is set aside: %s.", self._path, error)
            with suppress(OSError):
                os.replace(self._path, self._path.with_suffix(f".damaged-{int(time.time())}.json"))
            return Remembered()


class BootGuard:
    """A file that names what is being loaded. If it is there at a start, the last one ended in the
    middle of that."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path

    def left(self) -> tuple[str, ...]:
        """The ids that an ended process was loading. Asked once; the file is taken away."""
        try:
            ids = tuple(self._path.read_text("utf-8").split())
            self._path.unlink()
        except (OSError, UnicodeDecodeError):
            return ()
        return ids

    @contextmanager
    def loading(self, *ids: str) -> Iterator[None]:
        """Around the loading of these."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("\n".join(ids), "utf-8")
        except OSError as error:
            log.warning("%s can't be written: %s.", self._path, error)
        try:
            yield
        finally:
            with suppress(OSError):
                self._path.unlink()
