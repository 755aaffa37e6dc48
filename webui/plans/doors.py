"""What plans need from the studio, as functions that are handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webui.core.job import Job, JobId, PersonId
from webui.core.request import GenerationRequest, InputId
from webui.extend.job_hooks import JobHooks
from webui.plans.grid_hooks import no_hooks


@dataclass(frozen=True, kw_only=True)
class Doors:
    """The ways into the studio. All may be used from any thread."""

    submit: Callable[[GenerationRequest, PersonId, str], Job]
    """Accepts a request; a second time with the same key it gives back the first job."""
    job: Callable[[JobId], Job]
    """Raises NotFound."""
    cancel: Callable[[JobId, PersonId], Job]
    check: Callable[[GenerationRequest, PersonId], object]
    """Raises InvalidRequest for a request that `submit` would refuse."""
    keep: Callable[[bytes, PersonId], InputId]
    """Keeps a picture as an input of a person."""
    told_by: Callable[[InputId], GenerationRequest | None]
    """What an input says of how it was made; None when it says nothing."""
    hooks: Callable[[], JobHooks] = no_hooks
    """Those of extensions that see grids."""
