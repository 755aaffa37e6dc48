"""Several requests of one program, handed in together: all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from webui.core.errors import GessoError
from webui.core.job import JobId, PersonId
from webui.core.request import GenerationRequest
from webui.studio import Studio


def submit_all(
    studio: Studio, person: PersonId, requests: Sequence[GenerationRequest]
) -> list[JobId]:
    """One job for each request. When one is refused, those before it are cancelled and its
    GessoError is raised."""
    jobs: list[JobId] = []
    try:
        for request in requests:
            jobs.append(studio.submit(request, person).id)
    except GessoError:
        for job in jobs:
            with contextlib.suppress(GessoError):
                studio.cancel(job, person)
        raise
    return jobs
