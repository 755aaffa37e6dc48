"""`process_images` behind a button of an old tab: each batch is a job in the queue, of whoever
pressed the button. In the server's process."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from webui.compat.asking import Origin, Pictures, Surroundings, merged, requests_of, translated
from webui.compat.bridge import Made
from webui.compat.singles import singles_of
from webui.core.errors import InvalidRequest
from webui.core.job import Job, JobState, PersonId
from webui.core.request import Extras, GenerationRequest, InputId

if TYPE_CHECKING:
    from webui.studio import Studio

POLL_S: Final = 0.1


class PageJob:
    """What stands for `side.job` while a button's function runs."""

    def __init__(self, studio: Studio, person: PersonId) -> None:
        self._studio: Final = studio
        self._person: Final = person
        self._origin: Final = Origin(request=GenerationRequest())

    def painted(self, p: Any) -> list[Made]:
        """The pictures of the batch that a job's object describes now, made by the queue."""
        pictures = Pictures()
        request = merged(self._origin, translated(p, self._around(), pictures))
        requests = requests_of(request, p, singles_of(p), pictures)
        inputs, person = self._studio.inputs, self._person
        kept = {id: inputs.add(data, person) for id, data in pictures.files.items()}
        made: list[Made] = []
        for each in requests:
            job = self._finished(self._studio.submit(_renamed(each, kept), self._person))
            made += self._pictures(job)
        return made

    def enlarged(self, image: Image.Image, upscaler: str, scale: float) -> Image.Image:
        """A picture so many times as large."""
        pictures = Pictures()
        id = pictures.keep(image)
        kept = self._studio.inputs.add(pictures.files[id], self._person)
        extras = Extras(image=kept, upscaler=upscaler, scale=max(1.0, scale))
        request = GenerationRequest(extras=extras, is_settled=True)
        return self._pictures(self._finished(self._studio.submit(request, self._person)))[0].image

    def settle(self, p: Any) -> None:
        """What scripts did to the prompts counts."""

    def know(self, p: Any, image: Image.Image, made: Made, index: int) -> None:
        """The queue has saved it already."""

    def _around(self) -> Surroundings:
        options = importlib.import_module("modules.shared").opts.data
        return Surroundings(options=options, checkpoints={})

    def _finished(self, job: Job) -> Job:
        """The job when it is over. Cancelled when the scripts' state says so. Raises
        InvalidRequest with the reason of one that failed."""
        state = importlib.import_module("modules.shared").state
        while not (job := self._studio.jobs.get(job.id)).state.is_over:
            if state.interrupted or state.skipped:
                self._studio.cancel(job.id, self._person)
            time.sleep(POLL_S)
        if job.state is JobState.FAILED:
            raise InvalidRequest("", job.reason or "The job failed.")
        return job

    def _pictures(self, job: Job) -> list[Made]:
        made = []
        for picture in self._studio.gallery.of_job(job.id):
            with Image.open(picture.path) as image:
                image.load()
            made.append(Made(image=image, recipe=picture.recipe, facts=picture.facts))
        return made


def page_job() -> PageJob | None:
    """For whoever pressed the button whose function runs; None without a studio. The page is
    imported here, as the engine's process has none."""
    studio = importlib.import_module("modules.gesso").side.studio
    if studio is None:
        return None
    from webui.ui.caller import who_asks

    return PageJob(studio, who_asks().id)


def _renamed(request: GenerationRequest, kept: dict[InputId, InputId]) -> GenerationRequest:
    """The request with the names that its pictures were kept under."""
    if request.source is not None:
        source = replace(request.source, image=kept[request.source.image])
        request = replace(request, source=source)
    if request.mask is not None:
        request = replace(request, mask=replace(request.mask, image=kept[request.mask.image]))
    return request
