"""Hands jobs to engines in turn, and sees each through to its pictures on disk or its reason.

One thread per engine makes pictures; a few others save them, so that the engine goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from webui.core.engine import Engine, EngineState, EngineStatus, Work
from webui.core.errors import DiskFull
from webui.core.events import (
    Cancelled,
    EngineChanged,
    JobEvent,
    JobProgress,
    PictureSaved,
    PreviewReady,
    QueueChanged,
    Queued,
    Started,
    Waiting,
)
from webui.core.job import Job, JobId, PersonId
from webui.core.model import ModelInfo
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.jobs.album import Album
from webui.jobs.bus import EventBus
from webui.jobs.doors import JobDoors
from webui.jobs.ending import TROUBLE, in_a_line, record, tell_end
from webui.jobs.eta import Timing
from webui.jobs.hold import RETRY_S, Hold, Stopped
from webui.jobs.line import NEAR, AtWork, Line, LineKeeper, Scene
from webui.jobs.made import Made, is_extra, is_open_ended
from webui.jobs.making import Maker, Surroundings
from webui.jobs.run import Live, Run
from webui.jobs.saving import Saver
from webui.jobs.store import JobStore, Terms
from webui.jobs.turns import Affinity, Bounds
from webui.jobs.usage import REMEMBERED

log = logging.getLogger(__name__)

SAVERS: Final = 2
MOST_UNSAVED: Final = 8
"""Pictures that may wait to be saved before the engine waits too: they are held in memory."""
READY_POLL_S: Final = 1.0
PASSING: Final = (JobProgress, PreviewReady, PictureSaved)
"""Events that change nobody's place in the line."""


class Dispatcher:
    """Runs the queue. Its public methods may be called from any thread."""

    def __init__(
        self,
        store: JobStore,
        bus: EventBus,
        engines: Sequence[Engine],
        album: Album,
        prepare: Callable[[Job, Sequence[int]], Work],
        retry_s: float = RETRY_S,
        bounds: Bounds | None = None,
        doors: JobDoors | None = None,
    ) -> None:
        """`prepare` gives the batch for some pictures of a job; `retry_s` is how long a full disk
        is left alone; `bounds` are those of keeping to a loaded model; through `doors` extensions
        take part."""
        self._store: Final = store
        self._bus: Final = bus
        self._engines: Final = tuple(engines)
        self._album: Final = album
        self._hold: Final = Hold(lambda reason: self._publish(Waiting(reason=reason)), retry_s)
        self._turn: Final = threading.RLock()
        """Held for each change of a job's state, so that none is seen half done."""
        self._runs: dict[JobId, Run] = {}
        self._timings: deque[Timing] = deque(maxlen=REMEMBERED)
        self._bounds: Final = bounds or Bounds()
        self._line: Final = LineKeeper(self.scene)
        self._is_recovered = False
        self._savers: Final = ThreadPoolExecutor(SAVERS, thread_name_prefix="save")
        self._saver: Final = Saver(album=album, store=store, hold=self._hold, publish=self._publish)
        self._around: Final = Surroundings(
            album=album,
            prepare=prepare,
            doors=doors or JobDoors(),
            hold=self._hold,
            publish=self._publish,
            wait_for_room=self._wait_for_room,
            keep=self._keep,
            book=self._book,
        )
        self._threads: Final = [
            threading.Thread(
                target=self._serve, args=(engine,), name=f"jobs-{engine.id}", daemon=True
            )
            for engine in self._engines
        ]

    def start(self) -> None:
        """Settle what a kill left behind, start the engines and run the queue."""
        with contextlib.suppress(DiskFull):  # then each engine's thread waits for room first
            self._recover()
        for engine in self._engines:
            engine.start(partial(self._engine_changed, engine))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End in order: what runs goes back to the queue and that is no attempt of it, pictures
        that are made are saved, the engines end."""
        self._hold.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._savers.shutdown()
        for engine in self._engines:
            engine.close()

    def wake(self) -> None:
        """Look again now: there may be a new job, or room on the disk."""
        self._hold.ring()

    def submit(
        self,
        request: GenerationRequest,
        recipe: Recipe,
        owner: PersonId,
        dedupe_key: str | None = None,
        terms: Terms | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> Job:
        """Accept a job: stored when this returns. A second one with the same `dedupe_key` gives
        back the first. `admit` raises when the person may have no further job just now; what it
        counts does not change before this one is stored. Raises DiskFull, too; then nothing is
        accepted."""
        with self._turn:
            if (known := self._store.with_key(dedupe_key)) is not None:
                return known
            admit()
            job = self._store.add(request, recipe, owner, dedupe_key, terms)
            self._publish(Queued(), job)
        self.wake()
        return job

    def cancel(self, job_id: JobId) -> Job:
        """End a job that waits, or ask one at work to end; its finished pictures stay. The job as
        it is now; one that is over stays as it is. Raises NotFound."""
        with self._turn:
            run = self._runs.get(job_id)
            job = self._store.get(job_id)
            if run is not None:
                run.is_cancel_asked = True
            elif not job.state.is_over:
                job = self._store.cancel(job_id)
                self._publish(Cancelled(), job)
        self.wake()
        return job

    def cancel_all(self, owner: PersonId | None = None) -> int:
        """As `cancel` for all jobs of a person, or of everybody; how many there were."""
        with self._turn:
            at_work = [run for run in self._runs.values() if owner in (None, run.job.owner)]
            for run in at_work:
                run.is_cancel_asked = True
            ended = self._store.cancel_queued(owner)
            for job in ended:
                self._publish(Cancelled(), job)
        self.wake()
        return len(at_work) + len(ended)

    @contextlib.contextmanager
    def reordering(self) -> Iterator[None]:
        """Within it the order of the queue may be changed; all are told afterwards."""
        with self._turn:
            yield
            self._publish(QueueChanged())
        self.wake()

    def live(self, job_id: JobId) -> Live | None:
        """What a job at work looks like now; None when it is not at work."""
        run = self._runs.get(job_id)
        return run.live if run else None

    def waiting(self) -> str:
        """Why the queue can't go on, in words; "" when it can."""
        return self._hold.reason

    def seconds_left(self, job_id: JobId) -> float | None:
        """Until the job is done, those ahead of it included; None when it is over or unknown."""
        place = self.line(None).place(job_id)
        return None if place is None else place.seconds_left

    def line(self, most: int | None = NEAR) -> Line:
        """Where each job stands that runs or could; so many of each person's, None for all."""
        return self._line.line(most)

    def expect(self, model: ModelInfo) -> None:
        """Have the engines get ready for a model while they have nothing else to do."""
        for engine in self._engines:
            engine.expect(model)

    def release(self) -> None:
        """Have the engines give back the memory of their models."""
        for engine in self._engines:
            engine.release()

    def statuses(self) -> list[EngineStatus]:
        """What each engine is doing."""
        return [engine.status() for engine in self._engines]

    def scene(self, most: int | None = None) -> Scene:
        """All that the line depends on, as it is now; with so many jobs of each person."""
        with self._turn:
            at_work = [_at_work(run) for run in self._runs.values()]
            waiting = self._store.order.in_line(time.time(), most)
            timings = tuple(self._timings)
        models = {engine.id: engine.status().model for engine in self._engines}
        return Scene(
            at_work=at_work, waiting=waiting, timings=timings, models=models, bounds=self._bounds
        )

    def _publish(self, event: JobEvent, job: Job | None = None) -> None:
        """In turn: a watcher that asks back then waits for nobody who waits for it."""
        with self._turn:
            if not isinstance(event, PASSING):
                self._line.forget()
            self._bus.publish(event, job)

    def _engine_changed(self, engine: Engine) -> None:
        """Called by the engine in any of its threads."""
        self._publish(EngineChanged(engine=engine.id))
        statuses = self.statuses()
        is_hopeless = all(status.state is EngineState.FAILED for status in statuses)
        self._hold.set_reason(self, _no_engine(statuses[0].detail) if is_hopeless else "")
        self.wake()

    def _recover(self) -> None:
        """Once per life of the server. A job whose pictures are all there was only not ticked off
        any more."""
        with self._turn:
            if self._is_recovered:
                return
            for job in self._store.interrupted():
                if self._is_all_there(job):
                    self._store.finish(job.id, seconds=0.0)
            for job in self._store.recover():
                log.info("Job %s was interrupted; it is %s.", job.id, job.state.value)
            self._timings.extend(self._store.usage.timings())
            self._is_recovered = True

    def _is_all_there(self, job: Job) -> bool:
        """Whether its pictures are saved; nobody knows where extensions make as many as they like:
        those are made again, and what is there stays."""
        saved = self._album.indices(job.id)
        wanted = sum(not is_extra(index, job.picture_count) for index in saved)
        return wanted >= job.picture_count and not is_open_ended(job.recipe)

    def _serve(self, engine: Engine) -> None:
        """One engine's thread: job after job until the server closes."""
        pick = Affinity(lambda: engine.status().model, self._bounds)
        with contextlib.suppress(Stopped):
            self._hold.until_room(self._recover)
            while not self._hold.is_closed:
                rings = self._hold.rings
                if not self._serve_safely(engine, pick):
                    self._hold.wait(rings, READY_POLL_S)

    def _serve_safely(self, engine: Engine, pick: Affinity) -> bool:
        """As `_serve_next`; an error that belongs to no job is shown as what the queue waits for,
        for example an outputs folder whose drive was pulled out."""
        try:
            is_busy = self._serve_next(engine, pick)
        except Stopped:
            raise
        except Exception as error:
            log.exception("The queue can't go on; it tries again.")
            self._hold.set_reason(engine, f"{TROUBLE} {in_a_line(error)}")
            return False
        self._hold.set_reason(engine, "")
        return is_busy

    def _serve_next(self, engine: Engine, pick: Affinity) -> bool:
        """Make the next job's pictures; False when there is none or the engine isn't ready."""
        if engine.status().state is not EngineState.READY or not self._store.has_ready():
            return False
        self._wait_for_room()
        run = self._hold.until_room(partial(self._claim, engine, pick))
        if run is None:
            return False
        run.outcome = Maker(self._around, engine, run).make()
        self._settle_if_saved(run)
        return True

    def _claim(self, engine: Engine, pick: Affinity) -> Run | None:
        with self._turn:
            job = self._store.claim(engine.id, pick)
            if job is None:
                return None
            run = self._runs[job.id] = Run(job, tuple(self._timings), engine.id)
            event = Started(engine=engine.id, attempt=job.attempts, recovered=job.recovered)
            self._publish(event, job)
            return run

    def _keep(self, run: Run, made: Made) -> None:
        """Hand a picture that is made to the savers."""
        with self._turn:
            run.take(made)
        self._savers.submit(self._save, run, made)

    def _book(self, run: Run, is_whole: bool, is_out: bool) -> None:
        """Keep what a batch took of its engine, however it ended."""
        spent = run.end_batch(is_whole=is_whole, is_out=is_out)
        with contextlib.suppress(DiskFull), self._turn:  # the pictures matter more
            timing = self._store.usage.spend(run.job, spent)
            if timing.effort or timing.is_out:
                self._timings.append(timing)

    def _wait_for_room(self, run: Run | None = None) -> None:
        """Until the disk has room and the savers keep up, or nobody wants the job any more."""

        def look() -> None:
            if run is None or run.is_wanted:
                self._album.check_room()

        self._hold.until_room(look)
        while run is None or run.is_wanted:
            rings = self._hold.rings
            if not self._hold.is_full and self._unsaved() < MOST_UNSAVED:
                return
            self._hold.wait(rings)

    def _unsaved(self) -> int:
        with self._turn:
            return sum(run.unsaved for run in self._runs.values())

    def _save(self, run: Run, made: Made) -> None:
        """One picture, in a saver's thread."""
        self._saver.save(run, made)
        with self._turn:
            run.unsaved -= 1
        self._settle_if_saved(run)
        self.wake()

    def _settle_if_saved(self, run: Run) -> None:
        """Record how the job ended, by whichever thread comes last. What can't be recorded any
        more before the server ends is settled by the next start."""
        with self._turn:
            is_over, is_saved = run.outcome is not None, run.unsaved == 0
        if is_over:
            settle = self._settle if is_saved else self._mark_saving
            with contextlib.suppress(Stopped):
                self._hold.until_room(partial(settle, run))

    def _mark_saving(self, run: Run) -> None:
        with self._turn:
            if self._runs.get(run.job.id) is run:
                self._store.saving(run.job.id)

    def _settle(self, run: Run) -> None:
        with self._turn:
            is_first = self._runs.get(run.job.id) is run
            if is_first:
                job, event = record(run, self._store, self._album)
                del self._runs[job.id]
                self._publish(event, job)
        self.wake()
        if is_first and job.state.is_over:
            tell_end(run, job, self._album)


def _at_work(run: Run) -> AtWork:
    return AtWork(
        id=run.job.id,
        engine=run.engine,
        model=run.job.recipe.model.id,
        seconds_left=run.seconds_left(),
        is_saving=run.outcome is not None,
    )


def _no_engine(detail: str) -> str:
    return f"The engine can't start, and is tried again from time to time. {detail}"
