"""A queue of its own for each test: real store, bus and dispatcher, fake engine, tiny album."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from PIL import Image

from webui.core.engine import Engine, Work
from webui.core.errors import DiskFull
from webui.core.events import Cancelled, Failed, Finished, JobEvent, Message
from webui.core.job import LOCAL, Job, JobId, PersonId
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import GenerationRequest, Sampling
from webui.core.result import Picture
from webui.engine.fake import FakeEngine
from webui.jobs.bus import EventBus
from webui.jobs.dispatcher import Dispatcher
from webui.jobs.doors import JobDoors
from webui.jobs.store import JobStore

T = TypeVar("T")

REQUEST = GenerationRequest(
    prompt="a red apple", width=64, height=64, seed=7, sampling=Sampling(steps=4)
)
RECIPE = Recipe(
    prompt="a red apple",
    negative_prompt="",
    model=ModelRef(id="m", name="m", family="sd15", hash="0" * 64),
    width=64,
    height=64,
    seed=7,
    sampler="euler",
    schedule="automatic",
    steps=4,
    guidance_scale=4.0,
    clip_skip=1,
    version="0",
)
MODEL = ModelInfo(
    id="m", name="m", kind=ModelKind.CHECKPOINT, family="sd15", path=Path("m"), size_bytes=1
)


def until(probe: Callable[[], T | None], seconds: float = 20) -> T:
    """What `probe` gives once it is true. Fails when that takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < end, f"still not true after {seconds} s"
        time.sleep(0.005)
    return value


def batch(job: Job, indices: Sequence[int]) -> Work:
    """The work for some pictures of a job."""
    recipes = tuple(job.recipe.at(index) for index in indices)
    return Work(recipes=recipes, model=MODEL, inputs={}, preview_every_s=0.01)


class TinyAlbum:
    """An album that is nothing but files. It has room for `room` more pictures."""

    def __init__(self, folder: Path, room: int = 1_000_000) -> None:
        self.folder = folder
        self.room = room
        self.refused = ""
        """The job whose pictures can't be written, for another reason than a full disk."""
        self.is_reachable = True
        self.saves_may_go_on = threading.Event()
        self.saves_may_go_on.set()
        self._lock = threading.Lock()
        self._saved: dict[tuple[JobId, int], Picture] = {}

    def save(
        self,
        job: Job,
        index: int,
        image: Image.Image,
        facts: Mapping[str, str],
        recipe: Recipe | None = None,
    ) -> Picture:
        assert self.saves_may_go_on.wait(20)
        path = self.folder / f"{job.id}-{index}.png"
        if job.id == self.refused:
            raise PermissionError(f"{path} can't be written")
        with self._lock:
            if not path.exists():
                self.check_room()
                self.room -= 1
                image.save(path)
            picture = Picture(
                id=path.stem,
                job_id=job.id,
                index=index,
                owner=job.owner,
                path=path,
                width=image.width,
                height=image.height,
                recipe=recipe or job.recipe.at(index),
                created_at=0.0,
                facts=facts,
            )
            return self._saved.setdefault((job.id, index), picture)

    def of_job(self, job_id: JobId) -> list[Picture]:
        with self._lock:
            return [self._saved[key] for key in sorted(self._saved) if key[0] == job_id]

    def indices(self, job_id: JobId) -> frozenset[int]:
        names = [path.stem for path in self.folder.glob(f"{job_id}-*.png")]
        return frozenset(int(name.rsplit("-", 1)[1]) for name in names)

    def check_room(self, extra_bytes: int = 0) -> None:
        if not self.is_reachable:
            raise PermissionError("The drive is gone")
        if self.room <= 0:
            raise DiskFull("The disk is full. Delete something.")

    def remark(self, job_id: JobId) -> str:
        return ""


class Rig:
    """All parts of a queue below one folder. `restart` is the same folder's next server."""

    def __init__(
        self,
        folder: Path,
        *engines: Engine,
        room: int = 1_000_000,
        prepare: Callable[[Job, Sequence[int]], Work] = batch,
        doors: JobDoors | None = None,
    ) -> None:
        self.folder = folder
        self.engines = engines or (FakeEngine(),)
        self.album = TinyAlbum(folder, room)
        self.store = JobStore(folder / "jobs.sqlite")
        self.bus = EventBus()
        self.messages: list[Message] = []
        self.bus.subscribe(self.messages.append)
        self.dispatcher = Dispatcher(
            self.store, self.bus, self.engines, self.album, prepare, retry_s=0.05, doors=doors
        )

    def submit(
        self, prompt: str = "a red apple", steps: int = 4, owner: PersonId = LOCAL, **changes: int
    ) -> Job:
        """Submit a request; `changes` are batch_size and batch_count."""
        request = replace(REQUEST, prompt=prompt, **changes)
        return self.dispatcher.submit(request, replace(RECIPE, prompt=prompt, steps=steps), owner)

    def finished(self, job: Job) -> Job:
        """The job when it is over and all were told."""
        until(lambda: self.events(job, Finished, Failed, Cancelled))
        return self.store.get(job.id)

    def events(self, job: Job, *kinds: type) -> list[JobEvent]:
        """What the bus told of a job, of these kinds only if any are given."""
        told = [message.event for message in list(self.messages) if message.job_id == job.id]
        return [event for event in told if not kinds or isinstance(event, kinds)]

    def pictures(self, job: Job) -> list[int]:
        """The indices of the job's pictures on disk."""
        return sorted(self.album.indices(job.id))

    def close(self) -> None:
        """End in order."""
        self.dispatcher.close()
        self.store.close()
