"""What the queue needs of the place where pictures go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from PIL import Image

from webui.core.job import Job, JobId
from webui.core.recipe import Recipe
from webui.core.result import Picture


class Album(Protocol):
    """Where finished pictures go."""

    def save(
        self,
        job: Job,
        index: int,
        image: Image.Image,
        facts: Mapping[str, str],
        recipe: Recipe | None = None,
    ) -> Picture:
        """The picture, on disk; the same again for an index that it has. `recipe`: how it was
        really made, by default as the job has it. Raises DiskFull."""
        ...

    def of_job(self, job_id: JobId) -> Sequence[Picture]:
        """The pictures of a job by index."""
        ...

    def indices(self, job_id: JobId) -> frozenset[int]:
        """Which pictures of a job it has."""
        ...

    def check_room(self, extra_bytes: int = 0) -> None:
        """Raises DiskFull when there is no room for one more picture."""
        ...

    def remark(self, job_id: JobId) -> str:
        """What there is to say of a job whose pictures it has all got, mostly nothing."""
        ...
