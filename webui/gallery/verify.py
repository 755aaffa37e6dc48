"""Makes a picture again and says whether the same pixels came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from PIL import Image

from webui.core.errors import NotFound
from webui.core.job import Job, JobId
from webui.core.recipe import Recipe
from webui.core.result import Picture
from webui.gallery.gallery import Gallery

IDENTICAL: Final = "Identical: every pixel is the same."


class VerifyingAlbum:
    """The gallery as the queue sees it: pictures of a job that verifies one are compared with
    that one instead of being saved."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery: Final = gallery
        self._remarks: Final[dict[JobId, str]] = {}

    def save(
        self,
        job: Job,
        index: int,
        image: Image.Image,
        facts: Mapping[str, str],
        recipe: Recipe | None = None,
    ) -> Picture:
        """The saved picture, or the one that `image` was compared with. Raises DiskFull."""
        if job.request.verifies is None:
            return self._gallery.save(job, index, image, facts, recipe)
        picture = self._gallery.get(job.request.verifies)
        try:
            saved = self._gallery.reopen(picture, image)
        except OSError as error:
            raise NotFound("file of the picture", picture.path.name) from error
        self._remarks[job.id] = verdict(*saved, then=picture.facts, now=facts)
        return picture

    def of_job(self, job_id: JobId) -> list[Picture]:
        """The pictures of a job by index; a comparison leaves none."""
        return self._gallery.of_job(job_id)

    def indices(self, job_id: JobId) -> frozenset[int]:
        """Which pictures of a job are saved; a comparison leaves none."""
        return self._gallery.indices(job_id)

    def check_room(self, extra_bytes: int = 0) -> None:
        """Raises DiskFull when there is no room for one more picture."""
        self._gallery.check_room(extra_bytes)

    def remark(self, job_id: JobId) -> str:
        """What the comparison of a job found, told once; empty for other jobs."""
        return self._remarks.pop(job_id, "")


def verdict(
    saved: Image.Image,
    remade: Image.Image,
    then: Mapping[str, str] | None = None,
    now: Mapping[str, str] | None = None,
) -> str:
    """How two pictures compare, in a sentence for a person; with what was different about the
    machine (`then`, `now`) when they differ."""
    if saved.size != remade.size:
        was, is_ = (f"{image.width} x {image.height}" for image in (saved, remade))
        return f"Differs: the saved picture has {was} pixels, the new one {is_}."
    pixels = [np.asarray(image.convert("RGB"), dtype=np.int16) for image in (saved, remade)]
    difference = np.abs(pixels[0] - pixels[1])
    if not difference.any():
        return IDENTICAL
    share = float((difference.max(axis=2) > 0).mean())
    return (
        f"Differs by {difference.mean():.3g} of 255 on average and {difference.max()} at most, "
        f"in {share:.1%} of the pixels.{_changes(then or {}, now or {})}"
    )


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = [
        f"{name} was {then[name]}, is {now[name]}"
        for name in then
        if name in now and then[name] != now[name]
    ]
    return f" What has changed: {'; '.join(changed)}." if changed else ""
