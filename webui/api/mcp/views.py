"""What agents are told of jobs, pictures and models; the schemas of the tools' answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webui.api.views import job_view
from webui.core.job import Job
from webui.core.model import ModelInfo
from webui.core.result import Picture
from webui.studio import Studio


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """A finished picture. `picture_id` goes into get_picture and edit_image; `resource` is read
    by resources/read; `url` gives the whole file to whoever holds it, for an hour."""

    picture_id: str
    width: int
    height: int
    seed: int
    prompt: str
    resource: str
    url: str


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """A job. `state` is queued, running, saving, done, failed or cancelled; ask job_status again
    until it is one of the last three. `fraction` of the work is done."""

    job_id: str
    state: str
    reason: str
    ahead: int
    """Jobs that run before it."""
    fraction: float
    seconds_left: float | None
    pictures: Sequence[PictureFacts]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """A model that pictures can be made with. `model` goes into generate_image."""

    model: str
    name: str
    family: str
    is_default: bool


@dataclass(frozen=True, kw_only=True)
class ModelsFacts:
    """All models that pictures can be made with."""

    models: Sequence[ModelFacts]


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """A picture with how it was made; `settings` is that in A1111's words."""

    picture: PictureFacts
    negative_prompt: str
    model: str
    sampler: str
    steps: int
    guidance_scale: float
    settings: str
    is_trashed: bool


def job_facts(studio: Studio, job: Job, pictures: Sequence[PictureFacts]) -> JobFacts:
    """A job as it is now. Reads the disk: not for the loop."""
    view = job_view(studio, job)
    done = 1.0 if view.state == "done" else 0.0
    return JobFacts(
        job_id=view.id,
        state=view.state,
        reason=view.reason,
        ahead=view.position,
        fraction=view.progress.fraction if view.progress else done,
        seconds_left=view.seconds_left,
        pictures=pictures,
    )


def picture_facts(picture: Picture, url: str) -> PictureFacts:
    """A picture for an agent."""
    return PictureFacts(
        picture_id=picture.id,
        width=picture.width,
        height=picture.height,
        seed=picture.recipe.seed,
        prompt=picture.recipe.prompt,
        resource=resource_of(picture.id),
        url=url,
    )


def model_facts(model: ModelInfo, default: ModelInfo) -> ModelFacts:
    """A model for an agent."""
    return ModelFacts(
        model=model.id, name=model.name, family=model.family, is_default=model.id == default.id
    )


def resource_of(picture_id: str) -> str:
    """The address of a picture as a resource."""
    return f"gesso://pictures/{picture_id}"
