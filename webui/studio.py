"""The application object: everything the page and the API may do, and the parts that do it.

A test makes its own: `Studio(store, engines=[FakeEngine(...)])`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from PIL import Image

from webui import __version__
from webui.catalog.catalog import Catalog
from webui.core.codec import check
from webui.core.engine import Engine, EngineStatus, Work
from webui.core.errors import InvalidRequest, NotFound, NotPermitted, UnreadablePicture
from webui.core.job import LOCAL, Job, JobId, PersonId
from webui.core.model import Defaults, ModelInfo
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import MAX_SEED, GenerationRequest, InputId
from webui.families import load_families
from webui.gallery.gallery import Gallery
from webui.gallery.inputs import InputStore
from webui.imaging.infotext import Labels, write_infotext
from webui.imaging.masks import prepare_mask
from webui.imaging.picture_text import read_picture_text
from webui.imaging.restore import Lookups, request_from_infotext
from webui.jobs.bus import EventBus
from webui.jobs.dispatcher import Dispatcher
from webui.jobs.store import JobStore
from webui.plans.doors import Doors
from webui.plans.plans import Plans
from webui.samplers import load_samplers
from webui.schedules import load_schedules
from webui.settings import Settings, SettingsStore

SIDE_MULTIPLE: Final = 8
SMALLEST_SIDE: Final = 64
LARGEST_SIDE: Final = 2048


class Labelled(Protocol):
    """A part that has a name for people."""

    @property
    def label(self) -> str:
        """What the page calls it."""
        ...


class Studio:
    """All state of a running server, in about ten parts. Usable from any thread."""

    def __init__(self, settings: SettingsStore, engines: Sequence[Engine]) -> None:
        """Opens what lies in the data folder; nothing runs before `start`."""
        now: Settings = settings.current
        data = now.data
        self.settings: Final = settings
        self.families: Final = load_families()
        self.samplers: Final = load_samplers()
        self.schedules: Final = load_schedules()
        self.labels: Final = Labels(
            samplers={sampler.id: sampler.label for sampler in self.samplers},
            schedules={schedule.id: schedule.label for schedule in self.schedules},
        )
        self.catalog: Final = Catalog(now.models, data / "models.sqlite", self.families)
        self.inputs: Final = InputStore(data / "inputs")
        self.gallery: Final = Gallery(
            now.outputs, data, lambda: settings.current, labels=self.labels
        )
        self.jobs: Final = JobStore(data / "jobs.sqlite")
        self.bus: Final = EventBus()
        self.engines: Final = tuple(engines)
        self.dispatcher: Final = Dispatcher(
            self.jobs, self.bus, self.engines, album=self.gallery, prepare=self._prepare
        )
        self.plans: Final = Plans(
            data / "plans.sqlite", self._doors(), gallery=self.gallery, bus=self.bus
        )

    def start(self) -> None:
        """Settle what a crash left behind, start the engines and run the queue."""
        self.gallery.recover()
        self.catalog.refresh()
        self.dispatcher.start()
        self.plans.start()

    def close(self) -> None:
        """End in order: the running job goes back to the queue, engines end, files close."""
        self.plans.close()
        self.dispatcher.close()
        self.gallery.close()
        self.jobs.close()
        self.catalog.close()

    def submit(
        self, request: GenerationRequest, person: PersonId = LOCAL, key: str | None = None
    ) -> Job:
        """Accept a request: when this returns, it is stored and will run, whatever happens. A
        second one with the same `key` gives back the first job.

        Raises InvalidRequest, which names the field, and accepts nothing then.
        """
        request = replace(check(request), seed=_fixed_seed(request.seed))
        return self.dispatcher.submit(request, self.resolve(request), person, key)

    def cancel(self, job_id: JobId, person: PersonId = LOCAL) -> Job:
        """End a job that waits or runs; the pictures it finished stay. Raises NotFound."""
        if self.jobs.get(job_id).owner != person:
            raise NotPermitted("This job is somebody else's. Only they can cancel it.")
        return self.dispatcher.cancel(job_id)

    def remake(self, picture_id: str, person: PersonId = LOCAL) -> Job:
        """Make a picture again from its recipe. Raises NotFound, or InvalidRequest that says
        what is missing (its model, its source picture)."""
        recipe = self.gallery.get(picture_id).recipe
        request = recipe.request()
        if self._known_model(recipe.model.id) is None:  # renamed or moved: the hash still knows it
            request = replace(request, checkpoint=recipe.model.hash)
        return self.submit(request, person)

    def read_picture(self, data: bytes) -> GenerationRequest:
        """What a picture file asks for, from our recipe in it or from its A1111 text.

        Raises UnreadablePicture if it is no picture or says nothing about how it was made.
        """
        text = read_picture_text(data)
        if text.record is not None:
            return text.record.recipe.request()
        if not text.infotext:
            raise UnreadablePicture(
                "This picture does not say how it was made. Drop one that Gesso or A1111 saved."
            )
        lookups = Lookups(
            sampler=self.samplers.find, schedule=self.schedules.find, checkpoint=self._known_model
        )
        return request_from_infotext(text.infotext, lookups).request

    def infotext(self, recipe: Recipe) -> str:
        """The recipe as the text that A1111 would write."""
        return write_infotext(recipe, self.labels)

    def resolve(self, request: GenerationRequest) -> Recipe:
        """The recipe of the request's first picture, every blank filled."""
        model = self._model(request.checkpoint)
        defaults = self.defaults(model)
        self._check_pictures(request)
        width, height = self._size(request, defaults)
        sampling = request.sampling
        sampler, implied = self._sampler(sampling.sampler or defaults.sampler)
        return Recipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=_ref(self.catalog.hashed(model)),
            width=width,
            height=height,
            seed=_fixed_seed(request.seed),
            sampler=sampler,
            schedule=self._schedule(sampling.schedule or implied or defaults.schedule),
            steps=sampling.steps or defaults.steps,
            guidance_scale=_given(sampling.guidance_scale, defaults.guidance_scale),
            clip_skip=sampling.clip_skip or defaults.clip_skip,
            source=request.source,
            mask=request.mask,
            version=__version__,
        )

    def defaults(self, model: ModelInfo) -> Defaults:
        """What a model does best when a field is left blank."""
        return self.families[model.family].defaults(model)

    def current_model(self) -> ModelInfo:
        """The model used by requests that name none."""
        return self.catalog.default(self.settings.current.checkpoint)

    def statuses(self) -> list[EngineStatus]:
        """What each engine is doing."""
        return [engine.status() for engine in self.engines]

    def _doors(self) -> Doors:
        return Doors(
            submit=self.submit,
            job=self.jobs.get,
            cancel=self.cancel,
            check=self.resolve,
            keep=self.inputs.add,
            told_by=self._told_by,
        )

    def _told_by(self, id: InputId) -> GenerationRequest | None:
        """What an uploaded picture says of how it was made; None when it says nothing."""
        try:
            return self.read_picture(self.inputs.path(id).read_bytes())
        except UnreadablePicture:
            return None

    def _known_model(self, ref: str) -> str | None:
        try:
            return self.catalog.find(ref).id
        except NotFound:
            return None

    def _model(self, ref: str | None) -> ModelInfo:
        try:
            return self.catalog.find(ref) if ref else self.current_model()
        except NotFound as error:
            raise InvalidRequest(
                "checkpoint",
                f"There is no model “{error.id}”. Choose one that is in the list, "
                f"or put the file into {self.catalog.folder}.",
            ) from error

    def _size(self, request: GenerationRequest, defaults: Defaults) -> tuple[int, int]:
        if request.source is None or (request.width and request.height):
            return request.width or defaults.width, request.height or defaults.height
        source = self.inputs.open(request.source.image)
        return (
            request.width or _nearest_side(source.width),
            request.height or _nearest_side(source.height),
        )

    def _sampler(self, name: str) -> tuple[str, str | None]:
        """The sampler's id, and the schedule's name when an old combined name gives one."""
        found = self.samplers.find(name)
        if found is None:
            raise InvalidRequest("sampling.sampler", _unknown("sampler", name, self.samplers))
        return found

    def _schedule(self, name: str) -> str:
        found = self.schedules.find(name)
        if found is None:
            raise InvalidRequest("sampling.schedule", _unknown("schedule", name, self.schedules))
        return found

    def _check_pictures(self, request: GenerationRequest) -> None:
        if request.mask is not None and request.source is None:
            raise InvalidRequest("source.image", "There is a mask but no picture. Add a picture.")
        if request.source is not None:
            self._open("source.image", request.source.image)
        if (mask := request.mask) is not None:
            picture = self._open("mask.image", mask.image)
            if prepare_mask(picture, inverted=mask.inverted, blur=0).getbbox() is None:
                raise InvalidRequest(
                    "mask.image", "The mask is empty. Paint over the part that should change."
                )

    def _open(self, field: str, id: InputId) -> Image.Image:
        try:
            return self.inputs.open(id)
        except NotFound as error:
            raise InvalidRequest(
                field, "The picture that belongs here is not on this server any more. Add it again."
            ) from error

    def _prepare(self, job: Job, indices: Sequence[int]) -> Work:
        """The batch of these pictures of a job, with the files it needs."""
        recipe, settings = job.recipe, self.settings.current
        ids = [part.image for part in (recipe.source, recipe.mask) if part is not None]
        return Work(
            recipes=tuple(recipe.at(index) for index in indices),
            model=self._model(recipe.model.id),
            inputs={id: self.inputs.path(id) for id in ids},
            preview_every_s=settings.preview_interval_s if settings.show_previews else 0,
        )


def _fixed_seed(seed: int | None) -> int:
    return random.SystemRandom().randint(0, MAX_SEED) if seed is None else seed


def _ref(model: ModelInfo) -> ModelRef:
    return ModelRef(id=model.id, name=model.name, family=model.family, hash=model.hash or "")


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _nearest_side(pixels: int) -> int:
    rounded = round(pixels / SIDE_MULTIPLE) * SIDE_MULTIPLE
    return min(max(rounded, SMALLEST_SIDE), LARGEST_SIDE)


def _unknown(kind: str, name: str, parts: Iterable[Labelled]) -> str:
    return f"There is no {kind} “{name}”. Choose one of: {', '.join(p.label for p in parts)}."
