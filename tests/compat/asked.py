"""Jobs through old scripts without a queue: the fake engine asks, a real studio answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from webui.compat.told import TOLD, told_by
from webui.core.engine import Legacy, Work
from webui.core.errors import GessoError
from webui.core.events import Ask, Called, EngineEvent, ImageReady
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.engine.asking import Events
from webui.engine.fake import FakeEngine
from webui.studio import Studio


@dataclass
class Outcome:
    """What came of a job."""

    images: list[ImageReady] = field(default_factory=list)
    extras: list[ImageReady] = field(default_factory=list)
    asked: list[GenerationRequest] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Tracebacks."""
        return [call.error for call in self.calls if call.error]

    @property
    def pictures(self) -> list[Image.Image]:
        """Those that were asked for."""
        return [event.image for event in self.images]

    def recipe(self, index: int = 0) -> Recipe:
        """How a picture was really made."""
        recipe = self.images[index].recipe
        assert recipe is not None
        return recipe


def work_of(studio: Studio, request: GenerationRequest) -> Work:
    """The work of a request, as the studio would hand it to an engine."""
    recipe = studio.resolve(request)
    named = [part.image for part in (recipe.source, recipe.mask, recipe.extras) if part is not None]
    return Work(
        recipes=tuple(recipe.at(index) for index in range(request.picture_count)),
        model=studio.current_model(),
        inputs={id: studio.inputs.path(id) for id in named},
        preview_every_s=0,
    )


def run_job(
    studio: Studio,
    folders: Mapping[str, Path],
    request: GenerationRequest,
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    script: str | None = None,
    engine: Any = None,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """A whole job through the scripts of these extensions."""
    given = inputs or {}
    asked = replace(request, script=script)
    recipe_of = work_of(studio, replace(request, prompt="", negative_prompt="", extensions={}))
    told = told_by(studio, next(iter(folders.values())).parent)
    legacy = Legacy(
        request=asked,
        folders=tuple(folders.values()),
        inputs=given,
        script=script,
        options={TOLD: told, **(options or {})},
        data=studio.settings.current.data,
    )
    recipes = tuple(
        replace(
            recipe,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            extensions=dict(given),
            script=script,
        )
        for recipe in recipe_of.recipes
    )
    work = replace(recipe_of, recipes=recipes, legacy=legacy)
    return heard(studio, (engine or FakeEngine()).generate(work))


def heard(studio: Studio, events: Events) -> Outcome:
    """All events of a job; its questions are answered by the studio."""
    outcome = Outcome()
    with closing(events):
        event = next(events, None)
        while event is not None:
            said = _answer(studio, event, outcome)
            try:
                event = events.throw(said) if isinstance(said, GessoError) else events.send(said)
            except StopIteration:
                event = None
    return outcome


def _answer(studio: Studio, event: EngineEvent, outcome: Outcome) -> Work | GessoError | None:
    if isinstance(event, ImageReady):
        (outcome.extras if event.is_extra else outcome.images).append(event)
    elif isinstance(event, Called):
        outcome.calls.append(event)
    elif isinstance(event, Ask):
        outcome.asked.append(event.request)
        try:
            for data in event.pictures.values():
                studio.inputs.add(data)
            return work_of(studio, event.request)
        except GessoError as refusal:
            return refusal
    return None
