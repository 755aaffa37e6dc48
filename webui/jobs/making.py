"""Makes the pictures of one job on an engine, batch by batch or as an extension wants it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Final

from PIL import Image

from webui.core.engine import Engine, Work
from webui.core.errors import (
    EngineError,
    ExtensionFailed,
    GessoError,
    InvalidRequest,
    OutOfMemory,
)
from webui.core.events import (
    Ask,
    Called,
    EngineEvent,
    ImageReady,
    JobEvent,
    Loading,
    Preview,
    PreviewReady,
    Progress,
)
from webui.core.job import Job
from webui.core.request import GenerationRequest
from webui.extend.data import ImageItem, StopJob
from webui.jobs.album import Album
from webui.jobs.doors import JobDoors
from webui.jobs.ending import GAVE_UP, TROUBLE, in_a_line
from webui.jobs.hold import Hold, Stopped
from webui.jobs.made import Batch, Made, is_extra, is_old_script
from webui.jobs.run import Outcome, Run
from webui.jobs.store import MAX_ATTEMPTS

log = logging.getLogger(__name__)

STOPPED_BY_EXTENSION: Final = "An extension ended this job."


class GivenUp(BaseException):
    """Nobody wants the job any more. No Exception, so that no extension takes it for a failure of
    its own."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the making of pictures needs of the dispatcher."""

    album: Album
    prepare: Callable[[Job, Sequence[int]], Work]
    """The batch for some pictures of a job."""
    doors: JobDoors
    hold: Hold
    publish: Callable[[JobEvent, Job], None]
    wait_for_room: Callable[[Run], None]
    keep: Callable[[Run, Made], None]
    """Takes a picture that is made, to save it."""
    book: Callable[[Run, bool, bool], None]
    """Books what a batch took: whether it is whole, and whether memory ran out."""


class Maker:
    """One job on one engine, in that engine's thread."""

    def __init__(self, around: Surroundings, engine: Engine, run: Run) -> None:
        self._around: Final = around
        self._engine: Final = engine
        self._run: Final = run

    def make(self) -> Outcome:
        """Make the job's pictures and hand them on. The border where a job's error ends: whatever
        it was, the queue goes on."""
        run = self._run
        try:
            return self._make()
        except Stopped:
            return Outcome.STOPPED
        except GivenUp:
            return Outcome.STOPPED if self._around.hold.is_closed else Outcome.CANCELLED
        except EngineError as error:
            return self._after_engine_error(error)
        except StopJob as stop:
            run.reason = str(stop) or STOPPED_BY_EXTENSION
        except GessoError as error:
            run.reason = str(error)
        except Exception as error:
            log.exception("Job %s failed.", run.job.id)
            run.reason = f"{TROUBLE} {in_a_line(error)}"
        return Outcome.FAILED

    def _make(self) -> Outcome:
        run, around = self._run, self._around
        run.join(around.doors.hooks(run.job, self._report, lambda: not self._is_wanted))
        if (items := self._taken_over()) is not None:
            self._follow(items)
        else:
            self._make_batches()
        if run.is_complete:
            return Outcome.MADE
        return Outcome.FAILED if run.reason else Outcome.CANCELLED

    @property
    def _is_wanted(self) -> bool:
        return self._run.is_wanted and not self._around.hold.is_closed

    def _make_batches(self) -> None:
        run, around = self._run, self._around
        saved = around.hold.until_room(partial(around.album.indices, run.job.id))
        run.begin(sum(not is_extra(index, run.job.picture_count) for index in saved))
        for indices in _batches(run.job, saved):
            around.wait_for_room(run)
            if not run.is_wanted:
                break
            work = self._prepared(indices)
            if work.legacy is None and is_old_script(run.job.recipe.script or ""):
                raise _not_there(run.job.recipe.script or "")
            if work.legacy is not None:
                run.open_end()
                self._make_batch(self._prepared(range(run.job.picture_count)))
                run.is_ended = run.is_wanted
                break
            self._make_batch(work, indices)

    def _prepared(self, indices: Sequence[int]) -> Work:
        """The batch, without the extensions that failed in an earlier one."""
        work, out = self._around.prepare(self._run.job, indices), self._run.hooks.failed
        if not out:
            return work
        return replace(work, extensions=tuple(e for e in work.extensions if e.id not in out))

    def _make_batch(self, work: Work, indices: Sequence[int] | None = None) -> None:
        """Without `indices` the pictures are numbered as they come."""
        may_add = bool(work.extensions) or work.legacy is not None
        batch = Batch(self._run.job.recipe, indices, may_add=may_add)
        with self._booked(len(work.recipes)):
            try:
                for event in self._read(work):
                    if isinstance(event, ImageReady) and (made := batch.take(event)) is not None:
                        self._around.keep(self._run, made)
            except (EngineError, Stopped) as error:
                if not isinstance(error, OutOfMemory):
                    batch.forget()
                raise
            finally:
                if (last := batch.end()) is not None:
                    self._around.keep(self._run, last)

    @contextlib.contextmanager
    def _booked(self, pictures: int) -> Iterator[None]:
        """Books a batch of so many pictures, however it ends."""
        run, is_out, is_whole = self._run, False, False
        run.begin_batch(pictures)
        try:
            yield
            is_whole = run.is_wanted and not run.is_open_ended
        except OutOfMemory:
            is_out = True
            raise
        finally:
            self._around.book(run, is_whole, is_out)

    def _read(self, work: Work) -> Iterator[EngineEvent]:
        """The events of a batch, until nobody wants it any more; what the engine asks is answered,
        and what it tells of extensions is booked. Raises Stopped."""
        with contextlib.closing(self._engine.generate(work)) as events:
            event = next(events, None)
            while event is not None:
                answer = self._answer(event) if isinstance(event, Ask) else None
                self._tell(event)
                yield event
                if self._around.hold.is_closed:
                    raise Stopped
                if not self._run.is_wanted:
                    return
                event = _resumed(events, answer)

    def _tell(self, event: EngineEvent) -> None:
        run, around = self._run, self._around
        match event:
            case Progress() | Loading():
                around.publish(run.advance(event), run.job)
            case Preview(index=0):
                around.publish(PreviewReady(version=run.show(event)), run.job)
            case Called():
                around.doors.report(event, run.job)
                if event.error:
                    run.leave_out(event.extension, event.hook)
            case _:
                pass

    def _answer(self, ask: Ask) -> Work | GessoError:
        """The work for what an extension in the engine wants, or why there is none."""
        try:
            return self._around.doors.work(self._run.job, ask.request, ask.pictures)
        except GessoError as error:
            return error
        except Exception as error:
            log.exception("What an extension asks for can't be made ready.")
            return InvalidRequest("", f"{TROUBLE} {in_a_line(error)}")

    def _report(self, fraction: float, note: str) -> None:
        """What a hook says of its progress, in this job's."""
        self._around.publish(self._run.remark(fraction, note), self._run.job)

    def _taken_over(self) -> Iterator[ImageItem] | None:
        """The pictures of an extension that takes the job over; None where none does. The script
        of an old extension works in the engine."""
        run = self._run
        script = run.job.recipe.script
        if script is None or is_old_script(script):
            return None
        if not run.hooks.has("job_run"):
            raise _not_there(script)
        return run.hooks.run(script, run.job.request, self)

    def _follow(self, items: Iterator[ImageItem]) -> None:
        """Hand on what an extension makes, until it ends."""
        run, around = self._run, self._around
        run.open_end()
        try:
            for number, item in enumerate(items):
                around.wait_for_room(run)
                self._check_wanted()
                facts = dict(item.facts)
                made = Made(index=number, image=item.image, recipe=item.recipe, facts=facts)
                around.keep(run, made)
        finally:
            if callable(close := getattr(items, "close", None)):
                close()
        run.is_ended = True

    def _check_wanted(self) -> None:
        if not self._is_wanted:
            raise GivenUp

    # webui.extend.data.Runner, for the extension that has taken the job over

    def generate(self, request: GenerationRequest) -> Iterator[ImageItem]:
        """As Runner.generate."""
        work = self._around.doors.work(self._run.job, request, {})
        size = request.batch_size
        for start in range(0, len(work.recipes), size):
            part = replace(work, recipes=work.recipes[start : start + size])
            try:
                with self._booked(len(part.recipes)):
                    for event in self._read(part):
                        if isinstance(event, ImageReady):
                            yield _item(event, part, start)
            except Stopped:
                raise GivenUp from None
            self._check_wanted()

    def keep(self, image: Image.Image) -> str:
        """As Runner.keep."""
        return self._around.doors.keep(image, self._run.job)

    def _after_engine_error(self, error: EngineError) -> Outcome:
        """An engine that died or hung gets one more try. One that ran out of memory does not: it
        has given up all that it could by then, and would do the same again."""
        run = self._run
        if self._around.hold.is_closed:
            return Outcome.STOPPED
        log.warning("Job %s, attempt %s: %s", run.job.id, run.job.attempts, error)
        if isinstance(error, OutOfMemory):
            run.reason = str(error)
        elif run.job.attempts < MAX_ATTEMPTS:
            return Outcome.RETRY
        else:
            run.reason = f"{GAVE_UP} {error}"
        return Outcome.FAILED


def _resumed(
    events: Generator[EngineEvent, Work | None, None], answer: Work | GessoError | None
) -> EngineEvent | None:
    """The next event after the last one was answered so; None when there is none."""
    try:
        return events.throw(answer) if isinstance(answer, GessoError) else events.send(answer)
    except StopIteration:
        return None


def _not_there(script: str) -> ExtensionFailed:
    return ExtensionFailed(
        script,
        f"“{script}” was to take this job over, and is not on any more. Switch it on in "
        "Extensions and try again.",
    )


def _batches(job: Job, saved: frozenset[int]) -> Iterator[list[int]]:
    """The pictures of each batch that are not there yet."""
    for _, batch in groupby(range(job.picture_count), lambda i: i // job.request.batch_size):
        if missing := [index for index in batch if index not in saved]:
            yield missing


def _item(event: ImageReady, work: Work, start: int) -> ImageItem:
    recipe = event.recipe or work.recipes[min(event.index, len(work.recipes) - 1)]
    facts: Mapping[str, str] = event.facts
    return ImageItem(image=event.image, recipe=recipe, index=start + event.index, facts=facts)
