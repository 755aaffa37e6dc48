"""One job while an engine makes it: what is kept in memory only, for whoever watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from webui.core.events import JobProgress, Loading, Preview, Progress
from webui.core.job import Job
from webui.extend.job_hooks import JobHooks
from webui.jobs.doors import no_hooks
from webui.jobs.eta import Timing, expected_seconds, load_of
from webui.jobs.made import Made
from webui.jobs.usage import Spent

MEMORY_FACT: Final = "memory"
"""What an engine calls what it gave up because memory was short."""


class Outcome(Enum):
    """How the making of a job's pictures ended; saving them may still go on."""

    MADE = auto()
    CANCELLED = auto()
    FAILED = auto()
    RETRY = auto()
    STOPPED = auto()


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a running job looks like now. `version` grows with each preview."""

    progress: JobProgress | None = None
    preview: bytes | None = None
    version: int = 0


class Run:
    """A job at work. One engine thread writes; any thread may read and ask to cancel."""

    def __init__(self, job: Job, timings: Sequence[Timing], engine: str) -> None:
        self.job: Final = job
        self.engine: Final = engine
        self.live = Live()
        self.outcome: Outcome | None = None
        """None while pictures are being made."""
        self.reason = ""
        self.is_cancel_asked = False
        self.made = 0
        """Pictures that exist, be it in memory."""
        self.unsaved = 0
        """Those of them that are not yet on disk."""
        self.hooks = no_hooks(job, lambda fraction, note: None, lambda: False)
        """Those of the job's extensions; each call while `hooks_turn` is held."""
        self.hooks_turn: Final = threading.RLock()
        self.is_open_ended = False
        """Whether an extension has taken it over: it has as many pictures as that makes."""
        self.is_ended = False
        """Whether that extension made all that it wanted."""
        self.is_cut_short = False
        """Whether a picture was lost to the end of the server; it will be made again."""
        self._timings: Final = tuple(timings)
        self._began: Final = time.monotonic()
        self._done = 0
        self._batch = 0
        self._batch_asked = self._began
        self._batch_began: float | None = None
        self._is_loading = False
        self._memory = ""
        self._pace: _Pace | None = None

    @property
    def seconds(self) -> float:
        """How long the job has been at work."""
        return time.monotonic() - self._began

    @property
    def is_wanted(self) -> bool:
        """Whether there is a reason to go on."""
        return not self.is_cancel_asked and not self.reason

    @property
    def is_complete(self) -> bool:
        """Whether all its pictures are made."""
        return self.is_ended if self.is_open_ended else self.made == self.job.picture_count

    def verdict(self) -> Outcome:
        """How it ended, all told: once its pictures are made, saving them decides."""
        if self.outcome in (Outcome.RETRY, Outcome.STOPPED) and self.is_cancel_asked:
            return Outcome.CANCELLED
        if self.outcome is Outcome.MADE and self.is_cut_short:
            return Outcome.STOPPED
        if self.outcome is Outcome.MADE and self.reason:
            return Outcome.FAILED
        return self.outcome or Outcome.STOPPED

    def join(self, hooks: JobHooks) -> None:
        """Let extensions take part."""
        self.hooks = hooks

    def leave_out(self, extension: str, hook: str) -> None:
        """An extension failed in the engine: it takes no further part."""
        with self.hooks_turn:
            self.hooks.note(extension, hook)

    def open_end(self) -> None:
        """An extension takes over, from the first picture on."""
        self.is_open_ended = True
        self.begin(0)

    def begin(self, done: int) -> None:
        """So many of its pictures exist from an earlier attempt."""
        self._done = self.made = done

    def begin_batch(self, pictures: int) -> None:
        """The engine is asked for so many pictures."""
        self._batch, self._batch_asked = pictures, time.monotonic()
        self._batch_began, self._is_loading, self._memory = None, False, ""

    def end_batch(self, *, is_whole: bool, is_out: bool = False) -> Spent:
        """What the batch took of an engine, be it whole or not."""
        pictures, self._batch = self._batch, 0
        now, began = time.monotonic(), self._batch_began
        if is_whole:
            self._done += pictures
        if not self._is_loading:
            load_s = 0.0
        else:
            load_s = (now if began is None else began) - self._batch_asked
        return Spent(
            engine=self.engine,
            pictures=pictures,
            seconds=now - self._batch_asked,
            load_s=load_s,
            is_whole=is_whole and began is not None,
            memory=self._memory,
            is_out=is_out,
        )

    def advance(self, event: Progress | Loading) -> JobProgress:
        """The progress of the whole job after this event of the batch."""
        total, note, step, steps = self.job.picture_count, "", 0, self.job.recipe.steps
        if isinstance(event, Loading):
            note = event.note or f"Loading {event.model}"
            self._is_loading = True
        else:
            step, steps, note = event.step, event.steps, event.note
        total = max(total, self.made + 1) if self.is_open_ended else total
        done = self.made if self.is_open_ended else self._done
        made = min(done + (1 if self.is_open_ended else self._batch) * step / max(1, steps), total)
        if isinstance(event, Progress):
            self._batch_began = self._batch_began or time.monotonic()
            self._pace = self._pace or _Pace(made, time.monotonic())
        progress = JobProgress(
            fraction=made / total,
            step=step,
            steps=steps,
            picture=min(done + 1, total),
            pictures=total,
            seconds_left=self._seconds_left(made),
            note=note,
        )
        self.live = replace(self.live, progress=progress)
        return progress

    def remark(self, fraction: float, note: str) -> JobProgress:
        """The progress of the job, with what an extension says of its own."""
        total = max(1, self.job.picture_count)
        now = self.live.progress or JobProgress(
            fraction=0.0, step=0, steps=0, picture=1, pictures=total, seconds_left=None
        )
        progress = replace(now, note=f"{note} {min(max(fraction, 0.0), 1.0):.0%}".strip())
        self.live = replace(self.live, progress=progress)
        return progress

    def take(self, made: Made) -> None:
        """A picture is made; what the engine says of it."""
        self.made += 1
        self.unsaved += 1
        self._memory = made.facts.get(MEMORY_FACT, "")

    def show(self, preview: Preview) -> int:
        """Keep a preview; its version."""
        self.live = replace(self.live, preview=preview.jpeg, version=self.live.version + 1)
        return self.live.version

    def seconds_left(self) -> float | None:
        """Until all pictures are made; None when there is nothing to tell it from."""
        progress = self.live.progress
        return self._seconds_left(self._done) if progress is None else progress.seconds_left

    def _seconds_left(self, made: float) -> float | None:
        left = self.job.picture_count - made
        own = self._pace.seconds_per_picture(made) if self._pace else None
        if own is not None:
            return own * left
        one = expected_seconds(self._timings, load_of(self.job.recipe, 1))
        return None if one is None else one * left


@dataclass(frozen=True)
class _Pace:
    """How fast this very job is, measured since its first step began."""

    made_then: float
    began: float

    def seconds_per_picture(self, made: float) -> float | None:
        """None in the first tenth of a picture, when a guess would jump about."""
        if made - self.made_then < 0.1:
            return None
        return (time.monotonic() - self.began) / (made - self.made_then)
