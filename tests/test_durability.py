"""kill -9 and full disks: nothing accepted is lost, no file is cut short, nothing is made twice.

The long loops are marked slow; a few kills of each kind run every time.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from PIL import Image

from tests.conftest import finished, make_studio, until
from tests.engine.work import images, work
from webui.core.errors import DiskFull, GessoError
from webui.core.files import TEMP_PREFIX
from webui.core.job import Job, JobId, JobState
from webui.core.request import GenerationRequest, Sampling
from webui.engine.fake import FakeEngine
from webui.gallery.gallery import Gallery
from webui.jobs.ending import GAVE_UP
from webui.jobs.store import CUT_SHORT_TWICE, JobStore
from webui.settings import SettingsStore

ROOT: Final = Path(__file__).parents[1]
FAKE: Final = {"factory": "webui.engine.fake:create", "size": 128, "steps": 6}
REAL: Final = {"factory": "webui.engine.local:create", "size": 128, "steps": 10}
LATEST_KILL_S: Final = {"engine": 0.4, "server": 1.5}
"""After that a kill would find nothing left to do; a start takes about 0.5 s of the second."""

DISK_BYTES: Final = 8 * 2**20
PICTURES: Final = GenerationRequest(
    prompt="soft waves", width=128, height=128, batch_size=2, sampling=Sampling(steps=2)
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills and mounts as Unix does")


class Server:
    """A server in a process of its own, see tests/durability_server.py, and what it said."""

    def __init__(self, root: Path, plan: dict[str, Any], options: dict[str, Any]) -> None:
        settings = {"data_dir": str(root), "models_dir": str(ROOT / "models"), "keep_free_mb": 0}
        argument = json.dumps({**plan, "options": options, "settings": settings})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.durability_server", argument],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.accepted: list[str] = []
        self.engines: list[int] = []
        self.waiting: list[str] = [""]
        self.answers = 0
        self.is_finished = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def say(self, line: str) -> None:
        """Send a command; a server that was just killed does not hear it."""
        assert self.process.stdin
        with suppress(BrokenPipeError):
            print(line, file=self.process.stdin, flush=True)

    def kill(self) -> None:
        """kill -9, and see its engine end with it."""
        engines = self.engines[-1:]
        self.process.kill()
        self._bury()
        for pid in engines:
            until(lambda: not is_running(pid))  # noqa: B023

    def finish(self) -> None:
        """Let it run until nothing is left to do, and end."""
        self.say("finish")
        until(lambda: self.is_finished, seconds=120)
        self._bury()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            match word:
                case "accepted":
                    self.accepted.append(rest)
                    self.answers += 1
                case "refused":
                    self.answers += 1
                case "engine" if not self.engines or self.engines[-1] != int(rest):
                    self.engines.append(int(rest))
                case "waiting":
                    self.waiting.append(rest)
                case "finished":
                    self.is_finished = True

    def _bury(self) -> None:
        self.process.wait(30)
        self._reader.join()
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


class Siege:
    """One data folder, server after server on it, and a count of what was done to them."""

    def __init__(self, root: Path, plan: dict[str, Any], **options: Any) -> None:
        self.root, self.plan, self.options = root, plan, options
        self.random = random.Random(2)
        self.accepted: list[str] = []
        self.kills: Counter[str] = Counter()
        self.server = Server(root, plan, options)

    def submit(self, jobs: int, pictures: int = 4) -> None:
        """Ask for jobs without waiting for the answer."""
        for _ in range(jobs):
            self.server.say(f"submit {pictures} picture {self.random.random()}")

    def kill_engine(self) -> None:
        """At a random moment of its work."""
        self.submit(2)
        lives = len(self.server.engines)
        engine = until(lambda: self.server.engines[-1] if self.server.engines else 0)
        self._let_work("engine")
        with suppress(ProcessLookupError):
            os.kill(engine, 9)
        self.kills["engine"] += 1
        until(lambda: len(self.server.engines) > lives)

    def kill_server(self) -> None:
        """At a random moment of its life, its start included."""
        self.submit(2)
        self._let_work("server")
        self._restart("server")

    def kill_during_save(self) -> None:
        """While a picture is on its way to its file."""
        self.submit(3)
        saving = self._temporary_file()
        self._restart("save" if saving else "server")

    def finish(self) -> None:
        """No more kills: everything accepted ends."""
        self.server.finish()
        self.accepted += self.server.accepted

    def _let_work(self, kind: str) -> None:
        time.sleep(self.random.uniform(0, LATEST_KILL_S[kind]))

    def _restart(self, kind: str) -> None:
        self.server.kill()
        self.kills[kind] += 1
        self.accepted += self.server.accepted
        self.server = Server(self.root, self.plan, self.options)

    def _temporary_file(self) -> bool:
        """Wait for one to appear; False when none did."""
        end = time.monotonic() + 100
        while time.monotonic() < end:
            for folder in (self.root / "outputs").glob("*/*"):
                with os.scandir(folder) as files:
                    if any(file.name.startswith(TEMP_PREFIX) for file in files):
                        return True
        return False


def is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def check(siege: Siege) -> Counter[str]:
    """All that must hold whatever happened; how the jobs ended."""
    settings = SettingsStore({"data_dir": str(siege.root)})
    store = JobStore(siege.root / "data" / "jobs.sqlite")
    gallery = Gallery(siege.root / "outputs", siege.root / "data", lambda: settings.current)
    try:
        jobs = [store.get(JobId(id)) for id in siege.accepted]
        check_files(siege.root, gallery, jobs)
        for job in jobs:
            check_job(store, gallery, job)
    finally:
        gallery.close()
        store.close()
    return Counter(job.state.value for job in jobs)


def check_job(store: JobStore, gallery: Gallery, job: Job) -> None:
    assert job.state.is_over, f"{job.id} is left {job.state}"
    assert job.attempts <= 2
    pictures = gallery.of_job(job.id)
    indices = [picture.index for picture in pictures]
    assert indices == sorted(set(indices))
    if job.state is JobState.DONE:
        assert indices == list(range(job.picture_count)), f"{job.id} lost pictures"
    else:
        assert job.state is JobState.FAILED
        assert job.reason == CUT_SHORT_TWICE or job.reason.startswith(GAVE_UP), job.reason
        assert job.attempts == 2
    for picture in pictures:
        assert picture.recipe == job.recipe.at(picture.index)


def check_files(root: Path, gallery: Gallery, jobs: list[Job]) -> None:
    """Every file is whole and in the index, every entry of the index is a file, each once."""
    rows = sqlite3.connect(root / "data" / "gallery.sqlite")
    listed = dict(rows.execute("SELECT path, digest FROM pictures WHERE is_saved"))
    (unsettled,) = rows.execute("SELECT count(*) FROM pictures WHERE NOT is_saved").fetchone()
    rows.close()
    outputs = root / "outputs"
    files = [path for path in outputs.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(outputs).as_posix() for path in files) == sorted(listed)
    assert unsettled == 0
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest == listed[path.relative_to(outputs).as_posix()], f"{path} was cut short"
        with Image.open(path) as picture:
            picture.load()
    known = {job.id for job in jobs}
    assert len(files) >= sum(len(gallery.of_job(id)) for id in known)


def check_pixels(siege: Siege) -> None:
    """Each picture, made at the first attempt or the second, is the one its recipe makes."""
    settings = SettingsStore({"data_dir": str(siege.root)})
    gallery = Gallery(siege.root / "outputs", siege.root / "data", lambda: settings.current)
    engine = FakeEngine()
    for picture in (picture for id in siege.accepted for picture in gallery.of_job(JobId(id))):
        (expected,) = images(engine, work(picture.recipe))
        with Image.open(picture.path) as saved:
            assert saved.tobytes() == expected.tobytes()
    gallery.close()


def besiege(siege: Siege, plan: dict[str, int]) -> None:
    """So many kills of each kind, in random order."""
    blows: list[Callable[[], None]] = [
        blow
        for kind, count in plan.items()
        for blow in [{
            "engine": siege.kill_engine,
            "server": siege.kill_server,
            "save": siege.kill_during_save,
        }[kind]] * count
    ]  # fmt: skip
    siege.random.shuffle(blows)
    siege.submit(3)
    for blow in blows:
        blow()
    siege.finish()


@pytest.mark.parametrize(
    ("plan", "kills"),
    [
        pytest.param(FAKE, {"engine": 2, "server": 2, "save": 2}, id="6 kills"),
        pytest.param(
            FAKE,
            {"engine": 100, "server": 60, "save": 40},
            id="200 kills",
            marks=[pytest.mark.slow, pytest.mark.timeout(1200)],
        ),
        pytest.param(
            REAL,
            {"engine": 2, "server": 2, "save": 1},
            id="5 kills of the real engine",
            marks=[pytest.mark.slow, pytest.mark.torch, pytest.mark.timeout(600)],
        ),
    ],
)
def test_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, plan: dict[str, Any], kills: dict[str, int]
) -> None:
    is_fake = plan is FAKE
    options = {"seconds_per_step": 0.002} if is_fake else {"use_cpu": True, "threads": 1}
    siege = Siege(tmp_path, plan, **options)
    began = time.monotonic()
    besiege(siege, kills)
    ended = check(siege)
    if is_fake:
        check_pixels(siege)
    print(dict(siege.kills), dict(ended), f"{time.monotonic() - began:.0f} s")
    assert siege.kills.total() == sum(kills.values())
    assert siege.kills["save"] >= kills["save"] * 0.9
    assert ended["done"] > 0


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system of its own that is soon full."""
    disk = Path(tempfile.mkdtemp(prefix="gesso-small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        disk.rmdir()
        pytest.skip("a small file system can only be mounted by root on Linux")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    disk.rmdir()


def leave_free(disk: Path, free_bytes: int) -> Path:
    """Fill the disk up to so many bytes; the file to delete for room."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - free_bytes))
    return ballast


def free_at_each_write(step_bytes: int) -> list[int]:
    """What a job writes is less than the largest of these: some write meets the end of each."""
    return list(range(0, 200 * 1024, step_bytes))


@pytest.mark.parametrize(
    "free_bytes",
    [
        pytest.param(free, marks=[] if free % (32 * 1024) == 0 else [pytest.mark.slow])
        for free in free_at_each_write(4096)
    ],
)
def test_a_disk_that_fills_up_at_any_write_loses_nothing(small_disk: Path, free_bytes: int) -> None:
    root = small_disk / "studio"
    studio = make_studio(root)
    studio.start()
    finished(studio, studio.submit(PICTURES).id)
    studio.settings.update({"picture_quality": 50})
    ballast = leave_free(small_disk, free_bytes)
    quality, accepted = 50, []
    with suppress(DiskFull):
        accepted.append(studio.submit(PICTURES))
    with suppress(OSError):
        quality = studio.settings.update({"picture_quality": 77}).picture_quality
    with suppress(DiskFull):
        accepted.append(studio.submit(PICTURES))
    until(lambda: studio.dispatcher.waiting() or not studio.jobs.open_jobs())
    ballast.unlink()
    studio.dispatcher.wake()
    accepted.append(studio.submit(PICTURES))
    ended = [finished(studio, job.id) for job in accepted]
    until(lambda: not studio.dispatcher.waiting())
    studio.close()
    try:
        assert [job.state for job in ended] == [JobState.DONE] * len(accepted)
        assert all(job.attempts == 1 for job in ended)
        check_folder(root, ended)
        assert SettingsStore({"data_dir": str(root)}).current.picture_quality == quality
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize("free_bytes", [0, 4096, 16384, 65536])
def test_a_server_that_ends_and_starts_on_a_full_disk_loses_nothing(
    small_disk: Path, free_bytes: int
) -> None:
    root = small_disk / "studio"
    studio = make_studio(root, FakeEngine(seconds_per_step=0.1))
    studio.start()
    finished(studio, studio.submit(PICTURES).id)
    job = studio.submit(PICTURES)
    until(lambda: studio.dispatcher.live(job.id))
    ballast = leave_free(small_disk, free_bytes)
    until(lambda: studio.dispatcher.waiting() or not studio.jobs.open_jobs())
    studio.close()
    with suppress(GessoError):
        second = make_studio(root)
        second.start()
        second.close()
    ballast.unlink()
    third = make_studio(root)
    third.start()
    ended = finished(third, job.id)
    third.close()
    try:
        assert ended.state is JobState.DONE
        check_folder(root, [ended])
    finally:
        shutil.rmtree(root)


def check_folder(root: Path, jobs: list[Job]) -> None:
    settings = SettingsStore({"data_dir": str(root)})
    store = JobStore(root / "data" / "jobs.sqlite")
    gallery = Gallery(root / "outputs", root / "data", lambda: settings.current)
    check_files(root, gallery, jobs)
    for job in jobs:
        check_job(store, gallery, job)
    gallery.close()
    store.close()
