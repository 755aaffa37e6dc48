"""The folder of packages for extensions, beside the program's own and after them.

Each set of packages is a folder of its own that never changes once it is complete; a small file
points at the one in use, so that a change is one atomic replacement and the set before stays for
going back.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.files import TEMP_PREFIX, sync_folder, write_atomic
from webui.extend.packages import POINTER, pointed_at
from webui.installs.line import Line
from webui.installs.packages.resolve import Resolved
from webui.installs.packages.uv import Uv
from webui.installs.trees import remove_tree, sweep

log = logging.getLogger(__name__)

LOCK: Final = "gesso-packages.lock"
STARTERS: Final = ("sitecustomize.py", "usercustomize.py")
"""Python runs these by itself where it finds them at its start."""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The sets of packages in a folder."""

    folder: Path
    uv: Uv
    python: str

    def start(self) -> None:
        """Remove what a kill left half made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        for pointer in self.folder.glob("trial-*"):
            pointer.unlink(missing_ok=True)

    @property
    def pointer(self) -> Path:
        """The file that names the set in use."""
        return self.folder / POINTER

    @property
    def used(self) -> Path | None:
        """The folder in use; None while extensions need nothing."""
        return pointed_at(self.pointer)

    def build(self, resolved: Resolved, line: Line) -> Path | None:
        """The folder with exactly these packages, each checked against its hash; None if there
        are none. Raises InvalidRequest, PackagesUnreachable, Stopped or OSError."""
        if not resolved.pins:
            return None
        target = self.path(resolved.hash)
        if (target / LOCK).exists():
            return target
        building = self.folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
        building.mkdir(parents=True)
        try:
            self._fill(building, resolved, line)
            write_atomic(building / LOCK, resolved.lock.encode())
            building.rename(target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync_folder(self.folder)
        return target

    def path(self, hash: str) -> Path:
        """Where the set with a lock of this hash lies."""
        return self.folder / f"set-{hash[:24]}"

    def has(self, hash: str) -> bool:
        """Whether a set is here."""
        return not hash or (self.path(hash) / LOCK).exists()

    def use(self, hash: str) -> None:
        """Let this set be the one in use from now on; empty for none."""
        write_atomic(self.pointer, self.path(hash).name.encode() if hash else b"")

    def pins(self) -> tuple[tuple[str, str], ...]:
        """Names and versions of the packages in use."""
        used = self.used
        if used is None or not (used / LOCK).exists():
            return ()
        rows = (used / LOCK).read_text("utf-8").splitlines()
        pins = (row.split()[0].split("==") for row in rows if row and not row.startswith(" "))
        return tuple((pin[0], pin[1]) for pin in pins if len(pin) == 2)

    def tidy(self, kept: Iterable[str]) -> None:
        """Remove the sets that nothing will go back to; called at the start, when no process uses
        them."""
        names = {self.path(hash).name for hash in kept if hash}
        for folder in self.folder.glob("set-*"):
            if folder.name not in names and folder != self.used:
                with suppress(OSError):
                    remove_tree(folder)

    def _fill(self, target: Path, resolved: Resolved, line: Line) -> None:
        lock = target.with_suffix(".txt")
        lock.write_text(resolved.lock, "utf-8")
        arguments = ["pip", "install", "--target", str(target), "--python", self.python]
        arguments += ["--requirements", str(lock), "--require-hashes", "--no-deps"]
        try:
            ran = self.uv.run([*arguments, "--only-binary", ":all:", "--quiet"], line)
        finally:
            lock.unlink(missing_ok=True)
        if ran.code:
            raise InvalidRequest(
                "packages",
                f"The packages can't be installed; nothing was changed. {ran.cause[-500:]}",
            )
        _disarm(target)


def _disarm(folder: Path) -> None:
    """Python processes no .pth here; they are removed all the same, and what it runs by itself."""
    for path in [*folder.glob("*.pth"), *(folder / name for name in STARTERS)]:
        if path.exists():
            log.warning("%s of a package was removed: it would run at each start.", path.name)
            path.unlink()
