"""The way of a request for extras: understood, handed in, waited for, answered."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from webui.api.sdapi.answers import check_pixels
from webui.api.sdapi.extras import (
    extras_answer,
    extras_request,
    json_body,
    only_picture,
    read_extras,
)
from webui.api.sdapi.fields import read_object
from webui.api.sdapi.submitting import submit_all
from webui.api.waiting import until_over
from webui.core.errors import GessoError
from webui.core.job import Job, JobId, PersonId
from webui.core.request import GenerationRequest, InputId
from webui.studio import Studio


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Of each picture the job that enlarges it; None where nothing is to be done to it."""

    work: Sequence[tuple[InputId, JobId | None]]
    ignored: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Enlarger:
    """Enlarges pictures for one caller. Its methods raise GessoError and ValidationError."""

    studio: Studio
    person: PersonId
    is_batch: bool

    def accept(self, body: bytes) -> Accepted:
        """Understand a request and hand it in."""
        fields, pictures = read_extras(read_object(body), is_batch=self.is_batch)
        kept = [self.studio.inputs.add(data, self.person) for data in pictures]
        asked = [extras_request(self.studio, fields, picture) for picture in kept]
        wanted = [request for request in asked if request is not None]
        check_pixels(sum(self._pixels(request) for request in wanted))
        jobs = iter(submit_all(self.studio, self.person, wanted))
        work = [
            (picture, None if request is None else next(jobs))
            for picture, request in zip(kept, asked, strict=True)
        ]
        return Accepted(work=work, ignored=fields.ignored)

    def _pixels(self, request: GenerationRequest) -> int:
        """Of the result."""
        recipe = self.studio.resolve(request)
        return recipe.width * recipe.height

    async def answer(self, accepted: Accepted) -> tuple[bytes, Sequence[str]]:
        """Wait until all is done; the body of the answer, and the pictures that were made."""
        jobs = [job for _, job in accepted.work if job is not None]
        done = {job: await until_over(self.studio, job) for job in jobs}
        return await run_in_threadpool(self._answer, accepted, done)

    def discard(self, pictures: Sequence[str]) -> None:
        """Put what was delivered into the trash: A1111 keeps no extras of its API either."""
        for id in pictures:
            with contextlib.suppress(GessoError):
                self.studio.gallery.trash(id)

    def _answer(self, accepted: Accepted, done: dict[JobId, Job]) -> tuple[bytes, Sequence[str]]:
        made = {id: only_picture(self.studio, job) for id, job in done.items()}
        pictures = [
            self.studio.inputs.path(picture).read_bytes() if job is None else made[job]
            for picture, job in accepted.work
        ]
        answer = extras_answer(self.studio, pictures, is_batch=self.is_batch)
        return json_body(answer), [picture.id for picture in made.values()]
