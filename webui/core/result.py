"""A picture that is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webui.core.job import JobId, PersonId
from webui.core.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One row of the gallery index. `index` counts within the job from 0."""

    id: str
    job_id: JobId
    index: int
    owner: PersonId
    path: Path
    width: int
    height: int
    recipe: Recipe
    created_at: float
    facts: Mapping[str, str] = field(default_factory=dict)
    is_trashed: bool = False
