"""The application object: everything the page and the API may do, and the parts that do it.

A test makes its own: `Studio(store, engines=[FakeEngine(...)])`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from webui.albums.albums import Albums
from webui.catalog.cards import Cards
from webui.catalog.catalog import DEFAULT_PATIENCE_S, Catalog
from webui.catalog.hashing import Hasher
from webui.catalog.roots import Root, followed, read_roots
from webui.catalog.shelf import CatalogShelf
from webui.catalog.table import ModelTable
from webui.core.codec import check
from webui.core.engine import Engine, EngineState, EngineStatus
from webui.core.errors import InvalidRequest, NotFound, NotPermitted, UnreadablePicture
from webui.core.job import LOCAL, Job, JobId, PersonId
from webui.core.model import Defaults, ModelInfo, ModelKind
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.registry import Told
from webui.core.request import GenerationRequest, InputId
from webui.core.result import Picture
from webui.downloads.opening import open_downloads
from webui.extend.extensions import Extensions, Places, Safety
from webui.extend.given import read_given
from webui.extend.legacy import legacy_of
from webui.families import load_families
from webui.gallery.belongings import Belongings
from webui.gallery.gallery import Gallery
from webui.gallery.inputs import InputStore
from webui.gallery.thumbnails import Thumbnails
from webui.gallery.verify import VerifyingAlbum
from webui.imaging.infotext import Labels, read_infotext, write_infotext
from webui.imaging.restore import Lookups
from webui.installs.opening import held_back, open_installs
from webui.jobs.bus import EventBus
from webui.jobs.dispatcher import Dispatcher
from webui.jobs.expected import Expected
from webui.jobs.line import Place
from webui.jobs.preflight import Verdict, refusal
from webui.jobs.queue import Queue
from webui.jobs.store import JobStore, Terms
from webui.people.people import People
from webui.plans.doors import Doors
from webui.plans.extension_axes import plot_axes
from webui.plans.plans import Plans
from webui.prompting.styles import StyleBook
from webui.resolver.batches import Batches
from webui.resolver.joined import HeldModel, Joined
from webui.resolver.reading import PictureReader, PictureReading
from webui.resolver.resolver import Resolver, settle
from webui.resolver.words import Filler
from webui.samplers import load_samplers
from webui.schedules import load_schedules
from webui.settings import Settings, SettingsStore
from webui.upscalers import load_upscalers
from webui.webhooks.opening import open_webhooks
from webui.webhooks.webhooks import Webhooks

SHIPPED: Final = Path(__file__).resolve().parent.parent / "extensions"
"""The extensions that come with the program."""
FIRST_LOOK_S: Final = 2.0
"""So long the start waits for the first look through the folders of models; it goes on after."""


class Studio:
    """All state of a running server, in about ten parts. Usable from any thread."""

    def __init__(self, settings: SettingsStore, engines: Sequence[Engine]) -> None:
        """Opens what lies in the data folder; nothing runs before `start`."""
        now: Settings = settings.current
        data = now.data
        self.settings: Final = settings
        self.people: Final = People(data / "people.sqlite")
        self.extensions: Final = self._make_extensions()
        self.families: Final = load_families()
        self.samplers: Final = load_samplers()
        self.schedules: Final = load_schedules()
        self.upscalers: Final = load_upscalers()
        self.labels: Final = self._make_labels()
        self.catalog: Final = Catalog(
            now.models, data / "models.sqlite", self.families, others=self._other_folders
        )
        self.cards: Final = Cards(self.catalog)
        self.hasher: Final = Hasher(self.catalog.hashes, self._is_at_work, self.catalog.show_hashes)
        self.card_thumbnails: Final = Thumbnails(data / "card-thumbnails")
        self.inputs: Final = InputStore(
            data / "inputs", data / "inputs.sqlite", lambda person: self.queue.check_disk(person)
        )
        self.styles: Final = StyleBook(data / "styles.csv")
        self.wildcards: Final = data / "wildcards"
        self._resolver: Final = self._make_resolver()
        self._batches: Final = self._make_batches()
        self._reader: Final = PictureReader(
            self._lookups(), self.catalog, self.inputs, self.extensions
        )
        self.gallery: Final = Gallery(
            now.outputs, data, lambda: settings.current, labels=self.labels
        )
        self.models: Final = self._make_models()
        self.albums: Final = Albums(data / "albums.sqlite")
        self.jobs: Final = JobStore(data / "jobs.sqlite")
        self.bus: Final = EventBus()
        self.engines: Final = tuple(engines)
        self.dispatcher: Final = self._make_dispatcher()
        self.plans: Final = self._make_plans()
        named_by = (self.jobs.asked_by, self.plans.asked_by)
        self.belongings: Final = Belongings(self.gallery, self.inputs, named_by)
        keeps = self.belongings.bytes_of
        self.queue: Final = Queue(self.jobs, self.dispatcher, roles=self._role, disk_bytes=keeps)
        shelf = CatalogShelf(self.catalog, self.families)
        self.downloads: Final = open_downloads(lambda: settings.current, shelf, self.bus.publish)
        self.webhooks: Final = self._make_webhooks()
        self.installs: Final = open_installs(now, self.extensions, self.bus.publish)
        self._follow_extensions()
        self._tell_engines()

    def start(self) -> None:
        """Settle what a crash left behind, start the engines and run the queue."""
        self.people.on_gone(self._end_work_of)
        self.people.start()
        self.gallery.recover()
        self.installs.start()
        self.extensions.start()
        self.catalog.refresh_soon(FIRST_LOOK_S)
        self.settings.on_change(followed(self._other_folders, self.catalog.refresh_soon))
        self.dispatcher.start()
        self.plans.start()
        self.downloads.start()
        self.bus.subscribe(self.webhooks.hear)
        self.webhooks.start()
        self.extensions.ready()

    def close(self) -> None:
        """End in order: the running job goes back to the queue, engines end, files close."""
        self.installs.close()
        self.webhooks.close()
        self.downloads.close()
        self.plans.close()
        self.dispatcher.close()
        self.extensions.close()
        self.gallery.close()
        self.jobs.close()
        self.inputs.close()
        self.albums.close()
        self.hasher.cancel()
        self.catalog.close()
        self.people.close()

    def submit(
        self,
        request: GenerationRequest,
        person: PersonId = LOCAL,
        key: str | None = None,
        terms: Terms | None = None,
    ) -> Job:
        """Accept a request: when this returns, it is stored and will run, whatever happens. A
        second one with the same `key` gives back the first job.

        Raises InvalidRequest, which names the field, and accepts nothing then; LimitReached is
        one of what the person has too much of just now.
        """
        request = settle(check(request))
        self._check_own(request, person)
        draft = self.extensions.draft(request, self._role(person))
        request = settle(draft.request)
        self._check_own(request, person)
        recipe = self._resolver.resolve(request, draft)
        self.extensions.remark(recipe, draft)
        return self.queue.submit(request, recipe, person, key, terms)

    def cancel(self, job_id: JobId, person: PersonId = LOCAL) -> Job:
        """End a job that waits or runs; the pictures it finished stay. Raises NotFound."""
        if self.jobs.get(job_id).owner != person:
            raise NotPermitted("This job is somebody else's. Only they can cancel it.")
        return self.dispatcher.cancel(job_id)

    def own_line(self, person: PersonId) -> list[tuple[Job, Place]]:
        """A person's jobs that are not over, with their places: those at work, then the others in
        the order in which they will run; what is held back comes last."""
        return self.queue.own_line(person)

    def preflight(self, request: GenerationRequest, person: PersonId = LOCAL) -> Verdict:
        """What would become of a request that this person handed in now. Accepts nothing."""
        try:
            request = settle(check(request))
            self._check_own(request, person)
            return self.queue.preflight(self.resolve(request), request.picture_count, person)
        except InvalidRequest as error:
            return refusal(error)

    def remake(self, picture_id: str, person: PersonId = LOCAL) -> Job:
        """Make a picture of theirs again from its recipe. Raises NotFound, or InvalidRequest that
        says what is missing (its model, its source picture)."""
        return self.submit(self._again(picture_id, person), person)

    def verify(self, picture_id: str, person: PersonId = LOCAL) -> Job:
        """Make a picture again and compare: the job's reason says "Identical" or how they differ.

        Raises as `remake`.
        """
        return self.submit(replace(self._again(picture_id, person), verifies=picture_id), person)

    def own_job(self, id: JobId, person: PersonId) -> Job:
        """A job of this person. Raises NotFound, also for one of somebody else: ids are no
        secret."""
        job = self.jobs.get(id)
        if job.owner != person:
            raise NotFound("job", id)
        return job

    def own_picture(self, id: str, person: PersonId) -> Picture:
        """A picture of this person. Raises NotFound, also for one of somebody else."""
        picture = self.gallery.get(id)
        if picture.owner != person:
            raise NotFound("picture", id)
        return picture

    def read_picture(self, data: bytes, person: PersonId = LOCAL) -> PictureReading:
        """What a picture file asks for, whichever program made it. Pictures that it needs and
        that `person` did not put in are missing.

        Raises UnreadablePicture if it is no picture or says nothing about how it was made.
        """
        return self._reader.read(data, person)

    def read_text(self, text: str) -> PictureReading:
        """What a text in A1111's words asks for, as people copy them from web pages."""
        return self._reader.read_text(read_infotext(text), "A1111")

    def request_of(
        self, recipe: Recipe, person: PersonId = LOCAL
    ) -> tuple[GenerationRequest, tuple[str, ...]]:
        """The request that makes a picture again here, and the names of what is missing."""
        return self._reader.request_of(recipe, person)

    def with_known_files(
        self, request: GenerationRequest, person: PersonId = LOCAL
    ) -> tuple[GenerationRequest, tuple[str, ...]]:
        """A request without the files that are not here, and the names of what is missing."""
        return self._reader.with_known_files(request, person)

    def infotext(self, recipe: Recipe, facts: Mapping[str, str] | None = None) -> str:
        """The recipe, and the facts of a grid, as the text that A1111 would write."""
        return write_infotext(recipe, self.labels, facts)

    def resolve(self, request: GenerationRequest) -> Recipe:
        """The recipe of the request's first picture, every blank filled."""
        return self._resolver.resolve(request)

    def defaults(self, model: ModelInfo) -> Defaults:
        """What a model does best when a field is left blank."""
        return self._resolver.defaults(model)

    def current_model(self, patience_s: float = DEFAULT_PATIENCE_S) -> ModelInfo:
        """The model used by requests that name none; see `Catalog.default`."""
        return self.catalog.default(self.settings.current.checkpoint, patience_s)

    def statuses(self) -> list[EngineStatus]:
        """What each engine is doing."""
        return [engine.status() for engine in self.engines]

    def _make_extensions(self) -> Extensions:
        now = self.settings.current
        return Extensions(
            Places(shipped=SHIPPED, folder=now.extensions, data=now.data / "extensions"),
            Safety.of(
                is_safe_mode=now.safe_mode,
                only=now.ext_only,
                off=",".join([now.ext_off, *held_back(now)]),
            ),
            legacy_of(self),
            given=read_given(now.ext_input),
        )

    def _make_labels(self) -> Labels:
        return Labels(
            samplers=Told(self.samplers, lambda sampler: sampler.label),
            schedules=Told(self.schedules, lambda schedule: schedule.label),
            upscalers=Told(self.upscalers, lambda upscaler: upscaler.label),
            extensions=self.extensions.texts.pairs,
        )

    def _make_plans(self) -> Plans:
        return Plans(
            self.settings.current.data / "plans.sqlite",
            self._doors(),
            gallery=self.gallery,
            bus=self.bus,
            axes=plot_axes(self.extensions),
        )

    def _make_resolver(self) -> Resolver:
        return Resolver(
            catalog=self.catalog,
            families=self.families,
            samplers=self.samplers,
            schedules=self.schedules,
            upscalers=self.upscalers,
            inputs=self.inputs,
            words=Filler(
                self.styles,
                self.wildcards,
                leaves=lambda: self.extensions.legacy is not None,
            ),
            extensions=self.extensions,
            chosen=lambda: self.settings.current.checkpoint,
        )

    def _make_batches(self) -> Batches:
        return Batches(
            resolver=self._resolver,
            catalog=self.catalog,
            inputs=self.inputs,
            extensions=self.extensions,
            settings=lambda: self.settings.current,
            role=self._role,
        )

    def _follow_extensions(self) -> None:
        """Have in the tables what extensions add, and tell them of the engines' models."""
        joined = Joined(
            extensions=self.extensions,
            samplers=self.samplers,
            schedules=self.schedules,
            upscalers=self.upscalers,
            families=self.families,
            refresh=self.catalog.refresh_soon,
        )
        self.extensions.on_change(joined.update)
        self.bus.subscribe(HeldModel(self.extensions, self.statuses, self.catalog.look_up).hear)

    def _tell_engines(self) -> None:
        """Have them know which model is likely to be wanted next."""
        expected = Expected(partial(self.current_model, patience_s=0), self.dispatcher.expect)
        self.catalog.on_change(expected.tell)
        self.settings.on_change(expected.tell)

    def _make_models(self) -> ModelTable:
        return ModelTable(
            self.catalog,
            self.cards,
            self.gallery.uses.counts,
            latents=Told(self.families, lambda family: family.latents),
        )

    def _make_webhooks(self) -> Webhooks:
        return open_webhooks(
            self.settings.current,
            job=self.jobs.get,
            pictures=lambda id: [picture.id for picture in self.gallery.of_job(id)],
            ended_since=self.jobs.ended_since,
        )

    def _make_dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.jobs,
            self.bus,
            self.engines,
            album=VerifyingAlbum(self.gallery),
            prepare=self._batches.of,
            doors=self._batches.doors(),
        )

    def _lookups(self) -> Lookups:
        return Lookups(
            sampler=self.samplers.find,
            schedule=self.schedules.find,
            checkpoint=partial(self._known_file, ModelKind.CHECKPOINT),
            upscaler=self._known_upscaler,
            file=self._known_file,
            extension=self.extensions.texts.read,
        )

    def _other_folders(self) -> tuple[Root, ...]:
        return read_roots(self.settings.current.extra_model_folders)

    def _is_at_work(self) -> bool:
        """Whether a job has the machine."""
        return any(status.state is EngineState.BUSY for status in self.statuses())

    def _doors(self) -> Doors:
        return Doors(
            submit=self.submit,
            job=self.jobs.get,
            cancel=self.cancel,
            check=self._check,
            keep=self.inputs.add,
            told_by=self._told_by,
            hooks=self.extensions.everyone,
        )

    def _role(self, person: PersonId) -> Role:
        """What somebody may do: without an account, this machine's own person owns the server."""
        try:
            return self.people.roster.get(person).role
        except NotFound:
            return Role.OWNER if person == LOCAL else Role.ARTIST

    def _end_work_of(self, person: PersonId) -> None:
        """Cancel all that somebody has under way who was shown out."""
        for plan in self.plans.recent(person, limit=1000):
            if not plan.state.is_over:
                self.plans.cancel(plan.id)
        self.dispatcher.cancel_all(person)

    def _told_by(self, id: InputId) -> GenerationRequest | None:
        """What an uploaded picture says of how it was made; None when it says nothing."""
        try:
            return self.read_picture(self.inputs.path(id).read_bytes()).request
        except UnreadablePicture:
            return None

    def _again(self, picture_id: str, person: PersonId) -> GenerationRequest:
        recipe = self.own_picture(picture_id, person).recipe
        request, missing = self.request_of(recipe, person)
        if missing:
            raise InvalidRequest(
                "", f"This picture needs what is not here: {', '.join(missing)}. Put it back."
            )
        return replace(request, is_settled=True)  # so that no extension joins that was not there

    def _check_own(self, request: GenerationRequest, person: PersonId) -> None:
        """Raises InvalidRequest when a request names pictures of somebody else, in the words for
        those that are gone: who asks must not learn that they exist."""
        self._batches.check_own(request, person)
        if request.verifies is not None:
            self.own_picture(request.verifies, person)

    def _check(self, request: GenerationRequest, person: PersonId) -> Recipe:
        """Raises InvalidRequest for what `submit` would refuse this person."""
        self._check_own(request, person)
        return self.resolve(request)

    def _known_file(self, kind: ModelKind, ref: str) -> str | None:
        found = self.catalog.look_up(kind, ref)
        return None if found is None else found.id

    def _known_upscaler(self, name: str) -> str | None:
        return self.upscalers.find(name) or self._known_file(ModelKind.UPSCALER, name)
