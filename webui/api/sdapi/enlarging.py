"""The way of a request for extras: understood, handed in, waited for, answered."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from webui.api.sdapi.extras import (
    extras_answer,
    extras_request,
    json_body,
    only_picture,
    read_extras,
)
from webui.api.sdapi.fields import read_object
from webui.api.waiting import until_over
from webui.core.errors import GessoError
from webui.core.job import Job, JobId, PersonId
from webui.core.request import InputId
from webui.studio import Studio


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Of each picture the job that enlarges it, or the picture itself where nothing is to be
    done."""

    work: Sequence[JobId | InputId]
    jobs: frozenset[JobId]
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
        requests = [extras_request(self.studio, fields, picture) for picture in kept]
        work: list[JobId | InputId] = [
            picture if request is None else self.studio.submit(request, self.person).id
            for picture, request in zip(kept, requests, strict=True)
        ]
        jobs = frozenset(JobId(id) for id in work) - frozenset(JobId(id) for id in kept)
        return Accepted(work=work, jobs=jobs, ignored=fields.ignored)

    async def answer(self, accepted: Accepted) -> tuple[bytes, Sequence[str]]:
        """Wait until all is done; the body of the answer, and the pictures that were made."""
        done = {id: await until_over(self.studio, id) for id in accepted.jobs}
        return await run_in_threadpool(self._answer, accepted, done)

    def discard(self, pictures: Sequence[str]) -> None:
        """Put what was delivered into the trash: A1111 keeps no extras of its API either."""
        for id in pictures:
            with contextlib.suppress(GessoError):
                self.studio.gallery.trash(id)

    def _answer(self, accepted: Accepted, done: dict[JobId, Job]) -> tuple[bytes, Sequence[str]]:
        made = {id: only_picture(self.studio, job) for id, job in done.items()}
        pictures = [
            made[JobId(id)]
            if JobId(id) in made
            else self.studio.inputs.path(InputId(id)).read_bytes()
            for id in accepted.work
        ]
        answer = extras_answer(self.studio, pictures, is_batch=self.is_batch)
        return json_body(answer), [picture.id for picture in made.values()]
