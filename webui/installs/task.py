"""One change of the set of extensions on its way: what people see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from annotated_types import MaxLen

from webui.installs.doctor import Verdict
from webui.installs.packages.conflict import Conflict
from webui.installs.review import Review
from webui.installs.source import Source


class Purpose(StrEnum):
    """What a task is for."""

    INSTALL = "install"
    UPDATE = "update"
    CHECK = "check"
    """Asking all sources for something newer."""
    RESTORE = "restore"
    """Bringing a snapshot of the whole set back."""


class TaskState(StrEnum):
    """How far a task is."""

    FETCHING = "fetching"
    REVIEW = "review"
    """It waits for the owner to look at it; nothing of it has run."""
    EXAMINING = "examining"
    """Its packages are brought together and it is tried out."""
    EXAMINED = "examined"
    """It waits for the owner's yes."""
    INSTALLING = "installing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)

    @property
    def is_waiting(self) -> bool:
        """Whether it is the owner's turn."""
        return self in (TaskState.REVIEW, TaskState.EXAMINED)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the owner decides before an extension is tried out. `groups`: optional packages to
    have; `left_out`: packages or extras to do without; `is_lenient`: leave out by itself what does
    not go with the rest; `runs_script`: whether its install.py may run."""

    groups: Annotated[tuple[Annotated[str, MaxLen(200)], ...], MaxLen(100)] = ()
    left_out: Annotated[tuple[Annotated[str, MaxLen(200)], ...], MaxLen(200)] = ()
    is_lenient: bool = False
    runs_script: bool = False


@dataclass(frozen=True, kw_only=True)
class Task:
    """A change on its way. `conflict` is set when its packages don't go with the others;
    `packages` are those that it would bring; `verdict` what the doctor says."""

    id: str
    purpose: Purpose
    state: TaskState
    created_at: float
    source: Source | None = None
    extension: str = ""
    fraction: float = 0.0
    note: str = ""
    """What it does just now, or why it failed."""
    review: Review | None = None
    choices: Choices = field(default_factory=Choices)
    conflict: Conflict | None = None
    packages: tuple[str, ...] = ()
    verdict: Verdict | None = None
    script_output: str = ""
    """What install.py said, if it was run."""
