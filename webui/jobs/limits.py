"""What one person may ask for at most: defaults by role, changed by the owner for a role or for
one person. Kept in the jobs table's file.

Refusals say what was asked, what the limit is, and what can be done instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Annotated, Final

from annotated_types import Ge, Le

from webui.core.database import Database
from webui.core.errors import InvalidRequest, LimitReached
from webui.core.job import PersonId
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.jobs.eta import effort, pixels_of

MEGA: Final = 1_000_000
GB: Final = 10**9
Count = Annotated[int, Ge(0), Le(2**53)]
"""What also JavaScript and the table hold exactly."""
ASK: Final = "or ask the owner of this studio for more"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Each is the most that is allowed; None is no limit."""

    queued_jobs: Count | None = None
    """Jobs that wait at a time."""
    picture_pixels: Count | None = None
    """Width times height of a picture, the second pass included."""
    job_megapixel_steps: Count | None = None
    """Millions of pixels times steps, of all pictures of a job."""
    disk_bytes: Count | None = None
    """What a person's pictures and uploads take on the disk, those in the trash included."""
    gpu_seconds_per_day: Count | None = None
    """Seconds of the engines within 24 hours."""


UNLIMITED: Final = Limits()
DEFAULTS: Final[Mapping[Role, Limits]] = MappingProxyType(
    {
        Role.VIEWER: Limits(queued_jobs=0),
        Role.ARTIST: Limits(queued_jobs=5000, disk_bytes=100 * GB),
        Role.OWNER: UNLIMITED,
    }
)
"""Wide: a team knows each other. What one person queues delays nobody, see `turns`."""
NAMES: Final = tuple(field.name for field in fields(Limits))


@dataclass(frozen=True, kw_only=True)
class InUse:
    """What a person has of what is limited, looked up only where there is a limit."""

    queued_jobs: Callable[[], int]
    disk_bytes: Callable[[], int]
    gpu_seconds: Callable[[], float]
    free_again: Callable[[float], float]
    """When the seconds of a day will be fewer than so many: seconds since 1970."""


class LimitBook:
    """Who may do how much. Usable from any thread."""

    def __init__(self, file: Database) -> None:
        self._file: Final = file

    def of(self, person: PersonId, role: Role) -> Limits:
        """What holds for a person of this role: their own limits, before those of the role."""
        return replace(self.of_role(role), **self.own(person))

    def of_role(self, role: Role) -> Limits:
        """What holds for all of a role who have no limits of their own."""
        return replace(DEFAULTS[role], **self._read(f"role {role.value}"))

    def own(self, person: PersonId) -> dict[str, int | None]:
        """The limits that were set for one person, by name."""
        return self._read(f"person {person}")

    def set_for_role(self, role: Role, limits: Mapping[str, int | None]) -> None:
        """Change some limits of a role, by name. Raises DiskFull."""
        self._write(f"role {role.value}", limits)

    def set_for_person(self, person: PersonId, limits: Mapping[str, int | None]) -> None:
        """Change some limits of one person, by name. Raises DiskFull."""
        self._write(f"person {person}", limits)

    def clear(self, person: PersonId) -> None:
        """Let a person have the limits of their role. Raises DiskFull."""
        with self._file.changing() as rows:
            rows.execute("DELETE FROM person_limit WHERE scope = ?", (f"person {person}",))

    def _read(self, scope: str) -> dict[str, int | None]:
        rows = self._file.rows("SELECT name, value FROM person_limit WHERE scope = ?", scope)
        return {name: value for name, value in rows if name in NAMES}

    def _write(self, scope: str, limits: Mapping[str, int | None]) -> None:
        with self._file.changing() as rows:
            rows.executemany(
                "INSERT OR REPLACE INTO person_limit (scope, name, value) VALUES (?, ?, ?)",
                [(scope, name, value) for name, value in limits.items()],
            )


def check_size(limits: Limits, recipe: Recipe, pictures: int) -> None:
    """Raises InvalidRequest for a job that is too large for these limits, now and always."""
    pixels, most = pixels_of(recipe), limits.picture_pixels
    if most is not None and pixels > most:
        side = int(most**0.5) // 8 * 8
        raise InvalidRequest(
            "hires.scale" if recipe.hires else "width",
            f"A picture of {pixels / MEGA:.2f} megapixels is too large for you: the limit is "
            f"{most / MEGA:.2f}. Choose a smaller size, for example {side} x {side}, {ASK}.",
        )
    work, most_work = effort(recipe, pictures) / MEGA, limits.job_megapixel_steps
    if most_work is not None and work > most_work:
        raise InvalidRequest(
            "batch_count" if pictures > 1 else "sampling.steps",
            f"This job takes {work:.0f} megapixels times steps, the limit for you is {most_work}. "
            f"Choose fewer pictures or steps, or a smaller size, {ASK}.",
        )


def check_room(limits: Limits, in_use: InUse) -> None:
    """Raises LimitReached when a person has used up what passes or can be freed."""
    if limits.queued_jobs is not None and (jobs := in_use.queued_jobs()) >= limits.queued_jobs:
        raise LimitReached(
            "queued_jobs",
            f"You have {jobs} jobs waiting, the limit for you is {limits.queued_jobs}. Wait until "
            f"some are done, cancel some, {ASK}.",
        )
    check_disk(limits, in_use)
    most = limits.gpu_seconds_per_day
    if most is not None and (seconds := in_use.gpu_seconds()) >= most:
        at = time.strftime("%H:%M", time.localtime(in_use.free_again(most)))
        raise LimitReached(
            "gpu_seconds_per_day",
            f"Within 24 hours you have used {seconds:.0f} seconds of the engines, the limit for "
            f"you is {most}. Some will be free again at {at}. Wait until then, {ASK}.",
        )


def check_disk(limits: Limits, in_use: InUse) -> None:
    """Raises LimitReached when what a person keeps here takes as much as it may."""
    if limits.disk_bytes is not None and (used := in_use.disk_bytes()) >= limits.disk_bytes:
        raise LimitReached(
            "disk_bytes",
            f"Your pictures and uploads take {used / GB:.2f} GB, the limit for you is "
            f"{limits.disk_bytes / GB:.2f} GB. Delete some in the History and empty the trash "
            f"there, {ASK}.",
        )


def as_mapping(limits: Limits) -> dict[str, int | None]:
    """The limits by name."""
    return asdict(limits)
