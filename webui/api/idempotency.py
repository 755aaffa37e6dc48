"""A request that is sent twice is one job: by the header Idempotency-Key, per person."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Request

from webui.api.context import the_person
from webui.core.errors import InvalidRequest

HEADER: Final = "Idempotency-Key"
LONGEST: Final = 255

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=LONGEST,
        description="Any text of the client's, new for each job that it wants; sent again with "
        "the same key, the request gives back the first job.",
    ),
]
"""Describes the header; `dedupe_key` reads it."""


def dedupe_key(request: Request) -> str | None:
    """The key of the jobs table; None when the client sent none. Raises InvalidRequest."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not key.strip() or len(key) > LONGEST or not key.isprintable():
        raise InvalidRequest(
            HEADER, f"{HEADER} must have 1 to {LONGEST} printable characters. Send a UUID."
        )
    # The path tells calls of different kinds apart; without the person one could learn another's.
    return f"api:{the_person(request)}:{request.url.path}:{key.strip()}"
