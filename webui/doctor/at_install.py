"""The doctor for extensions that are about to come in."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from webui.doctor.examine import Limits, examine
from webui.doctor.verdict import Verdict as Found
from webui.installs.doctor import Outcome, Verdict
from webui.installs.line import Line


class InstallDoctor:
    """Examines what is in quarantine, with the packages that it would get."""

    def examine(self, folder: Path, packages: Path | None, line: Line) -> Verdict:
        """The verdict on an extension. Raises Stopped."""
        pointer = Path(os.devnull)
        if packages is not None:
            pointer = packages.parent / f"trial-{secrets.token_hex(6)}"
            pointer.write_text(packages.name, "utf-8")
        try:
            limits = Limits(packages=str(pointer), is_unwanted=lambda: line.is_stopped)
            found = examine(folder, limits)
        finally:
            if packages is not None:
                pointer.unlink(missing_ok=True)
        line.check()
        return _told(found)


def _told(found: Found) -> Verdict:
    notes = [f"{step.name}: {step.error}" for step in found.failed]
    if found.missing:
        notes.append(f"It asks A1111 for what is not provided: {', '.join(found.missing)}")
    return Verdict(
        outcome=Outcome(found.grade.value),
        summary=found.sentence,
        notes=tuple(notes),
        seconds=found.seconds,
    )
