"""Where what belongs to installing lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Places:
    """`extensions` is where extensions run from; `notes` holds extensions.lock; `work` all else:
    what is in quarantine, versions to go back to, removed ones, snapshots, packages."""

    extensions: Path
    notes: Path
    work: Path

    @property
    def quarantine(self) -> Path:
        """What was fetched and not agreed to. Emptied at each start."""
        return self.work / "quarantine"

    @property
    def versions(self) -> Path:
        """The state before of each extension."""
        return self.work / "versions"

    @property
    def trash(self) -> Path:
        """Removed extensions, for a month."""
        return self.work / "trash"

    @property
    def snapshots(self) -> Path:
        """Saved sets."""
        return self.work / "snapshots"

    @property
    def packages(self) -> Path:
        """Sets of packages."""
        return self.work / "packages"

    @property
    def listed(self) -> Path:
        """Which files belonged to which state of an extension."""
        return self.work / "listed"

    @property
    def journal(self) -> Path:
        """The change that is being made; there only while it is."""
        return self.work / "change.json"
