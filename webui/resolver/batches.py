"""What an engine is given: for a job's pictures, and for those that extensions want within one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from webui.catalog.catalog import Catalog
from webui.core.codec import check
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest
from webui.core.events import Called
from webui.core.job import Job, PersonId
from webui.core.model import ModelKind
from webui.core.person import Role
from webui.core.recipe import FileRef, Recipe
from webui.core.request import GenerationRequest, InputId
from webui.extend.extensions import Extensions
from webui.extend.job_hooks import JobHooks
from webui.gallery.inputs import InputStore
from webui.jobs.doors import JobDoors, Report
from webui.resolver.pictures import PICTURE_GONE, named_pictures, pictures_of
from webui.resolver.resolver import Resolver
from webui.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Makes work for engines. Usable from any thread."""

    resolver: Resolver
    catalog: Catalog
    inputs: InputStore
    extensions: Extensions
    settings: Callable[[], Settings]
    role: Callable[[PersonId], Role]

    def of(self, job: Job, indices: Sequence[int]) -> Work:
        """The batch of these pictures of a job, with the files it needs. Raises InvalidRequest."""
        legacy = self.extensions.legacy
        work = self._work(job, job.recipe, [job.recipe.at(index) for index in indices])
        if legacy is None:
            return work
        return replace(work, legacy=legacy.work(job.request, job.recipe, job.owner))

    def within(
        self, job: Job, request: GenerationRequest, pictures: Mapping[InputId, bytes]
    ) -> Work:
        """All pictures of a request that an extension makes within a job, without another round of
        `job_start`. `pictures` are put in for the job's person. Raises InvalidRequest, DiskFull."""
        for named, data in pictures.items():
            request = _renamed(request, named, self.inputs.add(data, job.owner))
        request = check(replace(request, script=None, verifies=None))
        self.check_own(request, job.owner)
        recipe = self.resolver.resolve(request)
        return self._work(job, recipe, [recipe.at(i) for i in range(request.picture_count)])

    def check_own(self, request: GenerationRequest, person: PersonId) -> None:
        """Raises InvalidRequest when a request names pictures of somebody else, in the words for
        those that are gone: who asks must not learn that they exist."""
        for field, id in named_pictures(request):
            if not self.inputs.is_of(id, person):
                raise InvalidRequest(field, PICTURE_GONE)

    def doors(self) -> JobDoors:
        """The ways of extensions into jobs."""
        return JobDoors(hooks=self._hooks, report=self._report, work=self.within, keep=self._keep)

    def _hooks(self, job: Job, report: Report, is_cancelled: Callable[[], bool]) -> JobHooks:
        return self.extensions.job(
            job.id,
            job.recipe,
            role=self.role(job.owner),
            progress=report,
            is_cancelled=is_cancelled,
        )

    def _report(self, called: Called, job: Job) -> None:
        self.extensions.report(called.extension, called.hook, called.error, called.seconds, job.id)

    def _keep(self, image: Image.Image, job: Job) -> InputId:
        return self.inputs.add_image(image, job.owner)

    def _work(self, job: Job, recipe: Recipe, recipes: Sequence[Recipe]) -> Work:
        settings = self.settings()
        return Work(
            recipes=tuple(recipes),
            model=self.resolver.model(recipe.model.id),
            inputs={id: self.inputs.path(id) for id in pictures_of(recipe)},
            files=(*map(self._used, recipe.files), *self._preview_decoder(recipe)),
            preview_every_s=settings.preview_interval_s if settings.show_previews else 0,
            is_exact=settings.exact_batches,
            extensions=self.extensions.used_in_engine(recipe),
            job=job.id,
            role=self.role(job.owner),
        )

    def _preview_decoder(self, recipe: Recipe) -> list[UsedFile]:
        """The small decoder for previews of this recipe's family, if there is one."""
        for model in self.catalog.models(ModelKind.PREVIEW):
            if model.family in ("", recipe.model.family):
                return [UsedFile(kind=ModelKind.PREVIEW, ref=model.id, model=model)]
        return []

    def _used(self, file: FileRef) -> UsedFile:
        """A file of a recipe where it is now: under its id, or moved and known by its hash."""
        model = self.catalog.look_up(file.kind, file.id, file.hash, file.name)
        if model is not None:
            return UsedFile(kind=file.kind, ref=file.ref, model=model)
        raise InvalidRequest(
            "prompt" if file.kind in (ModelKind.LORA, ModelKind.EMBEDDING) else file.kind.value,
            f"The {file.kind.value} “{file.name}” is not on this server any more. Put it back.",
        )


def _renamed(request: GenerationRequest, old: InputId, new: InputId) -> GenerationRequest:
    """The request with a picture under the name that the store has for it."""
    parts = {"source": request.source, "mask": request.mask, "extras": request.extras}
    changed: dict[str, Any] = {
        name: replace(part, image=new)
        for name, part in parts.items()
        if part is not None and part.image == old
    }
    return replace(request, **changed) if changed and old != new else request
