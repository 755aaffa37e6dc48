"""On which terms a job is handed in, beside the request itself: as part of the address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from webui.jobs.store import Terms


def asked_terms(
    not_before: Annotated[
        float, Query(ge=0, description="When it may begin at the earliest: seconds since 1970.")
    ] = 0,
    urgent: Annotated[bool, Query(description="Before one's own other jobs.")] = False,
    paused: Annotated[bool, Query(description="Wait until it is let go.")] = False,
) -> Terms:
    """What the caller asks for."""
    return Terms(not_before=not_before, is_urgent=urgent, is_paused=paused)


AskedTerms = Annotated[Terms, Depends(asked_terms)]
"""A parameter of routes that hand in jobs."""
