"""All pictures that were made: saved whole or not at all, listed, searched, trashed, restored.

How a save survives a kill at any point, and never replaces a file:

1. reserve a row: id, final path, sha256 of the bytes to come
2. write a temporary file in the same folder, fsync
3. link it to the final name, which fails if the name is taken (then 1 with the next number)
4. fsync the folder, mark the row saved

After a crash a reserved row is settled by its digest: the file is there and whole, or the row
goes and the job makes the picture again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from PIL import Image

from webui.core.codec import to_json
from webui.core.errors import DiskFull, GessoError, InvalidRequest, NotFound
from webui.core.files import sweep_temps, write_temp
from webui.core.job import Job, JobId, PersonId
from webui.core.recipe import Recipe
from webui.core.request import Mode
from webui.core.result import Picture
from webui.gallery.disk_use import DiskUse
from webui.gallery.found import file_of, find_pictures, holds
from webui.gallery.index import Entry, Index, entry_recipe, picture_id, search_words
from webui.gallery.naming import PictureName, name_facts, needs_image_hash
from webui.gallery.numbers import Numbers
from webui.gallery.publish import publish
from webui.gallery.room import Reserve, Room, free_bytes, full_disk_named
from webui.gallery.thumbnails import Thumbnails
from webui.gallery.trash import Trash
from webui.gallery.uses import ModelUses
from webui.imaging.infotext import Labels
from webui.imaging.picture_text import (
    Encoded,
    PictureFormat,
    PictureRecord,
    encode_picture,
    read_picture_text,
)
from webui.imaging.upload import media_type, open_upload
from webui.samplers import load_samplers
from webui.schedules import load_schedules
from webui.settings import Settings

log = logging.getLogger(__name__)

PAGE: Final = 60
_CLOCK_SLACK_S: Final = 3_600
_ATTEMPTS: Final = 1_000


class Gallery:
    """The outputs folder and its index. Usable from any thread; one per data folder."""

    def __init__(
        self,
        outputs: Path,
        data: Path,
        settings: Callable[[], Settings],
        *,
        labels: Labels | None = None,
        free: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`labels` are by default those of the built-in samplers and schedules; `free` tells the
        free bytes of a disk, `clock` the seconds since 1970."""
        self._outputs: Final = outputs
        self._settings: Final = settings
        self._labels: Final = _built_in_labels() if labels is None else labels
        self._clock: Final = clock
        self._reserve: Final = Reserve(data / "reserve", free)
        self._room: Final = Room((outputs, data), lambda: settings().keep_free_mb, free)
        self._index: Final = Index(data / "gallery.sqlite", self._reserve.release)
        self._numbers: Final = Numbers(outputs, self._index)
        self.uses: Final = ModelUses(self._index)
        self.disk_use: Final = DiskUse(outputs, self._index)
        self._thumbnails: Final = Thumbnails(data / "thumbnails")
        self._trash: Final = Trash(outputs, self._index, self._thumbnails, clock)
        self._saves: Final = _OneAtATime()
        self._moves: Final = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where all pictures lie."""
        return self._outputs

    def recover(self) -> None:
        """Settle what a crash left behind. Once, before anything else.

        A new index, or one that was damaged, is filled from the pictures' own records. What finds
        no room on a full disk is settled by the next start, or by the next save of that picture.
        """
        try:
            with full_disk_named(self._outputs):
                self._recover()
        except DiskFull as error:
            log.warning("Not everything could be put in order. %s", error)
        self._reserve.restore()

    def close(self) -> None:
        """Close the index; the gallery can't be used again."""
        self._index.close()

    def check_room(self, extra_bytes: int = 0) -> None:
        """Raises DiskFull when less would stay free than the setting asks for."""
        self._room.check(extra_bytes)
        self._reserve.restore()

    def save(
        self,
        job: Job,
        index: int,
        image: Image.Image,
        facts: Mapping[str, str] | None = None,
        recipe: Recipe | None = None,
        *,
        is_grid: bool = False,
    ) -> Picture:
        """The picture, on disk. A second save of the same picture of a job gives the first.
        `recipe` is recorded, by default the job's for this picture. A grid, put together from
        other pictures, lies in a folder for grids.

        Raises DiskFull; then nothing is left behind and the save may be tried again.
        """
        id = picture_id(job.id, index)
        with self._saves.of(id), full_disk_named(self._outputs):
            for leftover in self._index.unsettled():
                if leftover.id == id:
                    self._settle(leftover)
            if (entry := self._index.find(job.id, index)) is not None:
                return self._picture(entry)
            recipe = recipe or job.recipe.at(index)
            entry = self._save_new(job, index, image, dict(facts or {}), recipe, is_grid)
        self._make_thumbnail(id, image)
        return self._picture(entry)

    def indices(self, job_id: JobId) -> frozenset[int]:
        """Which pictures of a job are saved; those in the trash count."""
        return frozenset(entry.index for entry in self._index.of_job(job_id))

    def get(self, id: str) -> Picture:
        """A picture, also one in the trash. Raises NotFound."""
        return self._picture(self._index.get(id))

    def reopen(self, picture: Picture, remade: Image.Image) -> tuple[Image.Image, Image.Image]:
        """A saved picture's pixels, and those that `remade` would have in a file of its kind: a
        JPEG loses some of both. Raises OSError."""
        data = picture.path.read_bytes()
        saved, record = open_upload(data), read_picture_text(data).record
        name = media_type(data).removeprefix("image/")
        if name == "png" or record is None:
            return saved, remade
        format = PictureFormat(name=name, quality=self._settings().picture_quality)
        return saved, open_upload(encode_picture(remade, record, self._labels, format).data)

    def of_job(self, job_id: JobId) -> list[Picture]:
        """The pictures of a job by index, without those in the trash."""
        entries = self._index.of_job(job_id)
        return [self._picture(entry) for entry in entries if entry.trashed_at is None]

    def page(
        self,
        owner: PersonId,
        before: str | None = None,
        limit: int = PAGE,
        mode: Mode | None = None,
        search: str = "",
        trashed: bool = False,
    ) -> list[Picture]:
        """Pictures of a person, newest first, made before the picture with the id `before`.

        All words of `search` occur in the prompt, negative prompt or model name. Raises NotFound.
        """
        entries = self._index.page(owner, before, limit, mode, search, trashed)
        return [self._picture(entry) for entry in entries]

    def trash(self, id: str) -> Picture:
        """Move a picture to the trash, where it stays for 30 days. Raises NotFound, DiskFull."""
        with self._moves, full_disk_named(self._outputs):
            entry = self._index.get(id)
            if entry.trashed_at is None:
                entry = replace(entry, trashed_at=self._clock())
                self._trash.delete_old()  # first: what it says of a full disk holds for this one
                self._index.trash(entry)
                try:
                    self._trash.put(entry)
                except OSError:
                    self._index.restore(id, entry.path)
                    raise
        return self._picture(entry)

    def restore(self, id: str) -> Picture:
        """Take a picture out of the trash. Raises NotFound, DiskFull."""
        with self._moves, full_disk_named(self._outputs):
            entry = self._index.get(id)
            if entry.trashed_at is not None:
                self._index.restore(id, self._trash.take(entry))
        return self.get(id)

    def delete(self, id: str) -> None:
        """Delete a picture for good, which must be in the trash. Raises NotFound, InvalidRequest,
        GessoError where the system keeps the file."""
        with self._moves:
            entry = self._index.get(id)
            if entry.trashed_at is None:
                raise InvalidRequest("id", f"“{id}” is not in the trash. Move it there first.")
            try:
                self._trash.delete(entry)
            except OSError as error:
                raise GessoError(
                    f"{Path(entry.path).name} can't be deleted ({error}). Close what has it open."
                ) from error
        self.disk_use.count_anew(entry.owner)

    def empty_trash(self, owner: PersonId) -> int:
        """Delete all that a person has in the trash for good; how many. Raises GessoError."""
        ids = [entry.id for entry in self._index.trashed() if entry.owner == owner]
        return sum(self._delete_if_trashed(id) for id in ids)

    def recipes(self, owner: PersonId) -> Iterator[str]:
        """The recipes of all pictures of a person as JSON, also of those in the trash."""
        return self._index.recipes(owner)

    def thumbnail(self, id: str) -> Path:
        """A small WebP of a picture. Raises NotFound, DiskFull."""
        path = self._file(self._index.get(id))
        with full_disk_named(self._outputs):
            try:
                return self._thumbnails.get(id, lambda: open_upload(path.read_bytes()))
            except FileNotFoundError as error:
                raise NotFound("picture", id) from error

    def _recover(self) -> None:
        self._outputs.mkdir(parents=True, exist_ok=True)
        for entry in self._index.unsettled():
            self._settle(entry)
            sweep_temps((self._outputs / entry.path).parent)
        if self._index.was_cut_short or not self._index.is_complete:
            sweep_temps(self._outputs)
            self._adopt()
        for entry in self._index.trashed():
            self._trash.settle(entry)
        self._trash.delete_old()

    def _save_new(
        self,
        job: Job,
        index: int,
        image: Image.Image,
        facts: dict[str, str],
        recipe: Recipe,
        is_grid: bool,
    ) -> Entry:
        now, settings = self._clock(), self._settings()
        record = PictureRecord(
            recipe=recipe,
            job_id=job.id,
            index=index,
            created_at=now,
            owner=job.owner,
            facts=facts,
        )
        format = PictureFormat(name=settings.picture_format, quality=settings.picture_quality)
        encoded = encode_picture(image, record, self._labels, format)
        self._room.check(len(encoded.data))
        name = replace(self._name(job, index, image, now, recipe), is_grid=is_grid)
        draft = Entry(
            id=picture_id(job.id, index),
            job_id=job.id,
            index=index,
            owner=job.owner,
            mode=recipe.mode,
            path="",
            width=image.width,
            height=image.height,
            words=search_words(recipe),
            series=name.series,
            number=0,
            created_at=now,
            digest=hashlib.sha256(encoded.data).hexdigest(),
            facts=json.dumps(facts),
            recipe=to_json(recipe),
        )
        return self._place(draft, name, encoded)

    def _name(
        self, job: Job, index: int, image: Image.Image, now: float, recipe: Recipe
    ) -> PictureName:
        settings = self._settings()
        patterns = settings.folder_pattern, settings.filename_pattern
        pixels = hashlib.sha256(image.tobytes()).hexdigest() if needs_image_hash(*patterns) else ""
        moment = datetime.fromtimestamp(now).astimezone()
        return PictureName(
            folder_pattern=patterns[0],
            file_pattern=patterns[1],
            facts=replace(name_facts(job, index, moment, self._labels, pixels), recipe=recipe),
        )

    def _place(self, draft: Entry, name: PictureName, encoded: Encoded) -> Entry:
        """The file under the first name that is free."""
        for _ in range(_ATTEMPTS):
            number = self._numbers.take(draft.series, name.is_numbered)
            path = f"{name.path(number)}{encoded.suffix}"
            entry = replace(draft, path=path, number=number)
            try:
                if self._write(entry, encoded.data):
                    return entry
            except (OSError, sqlite3.Error):
                self._numbers.forget(draft.series)  # or a disk that stays full leaves a gap
                raise
        raise GessoError(
            f"No free name was found for a picture in {name.series}. "
            "Use the pattern [number] in the file name."
        )

    def _write(self, entry: Entry, data: bytes) -> bool:
        """Whether the picture is at its path now; False when the path is taken."""
        final = self._outputs / entry.path
        if os.path.lexists(final) or not self._index.reserve(entry):
            return False
        try:
            _write_new(final, data)
        except FileExistsError:
            self._index.release(entry.id)
            return False
        except OSError:
            self._index.release(entry.id)
            raise
        self._index.confirm(entry.id)
        return True

    def _make_thumbnail(self, id: str, image: Image.Image) -> None:
        try:
            self._thumbnails.make(id, image)
        except OSError as error:
            log.warning("No thumbnail for %s: %s. It is made when it is looked at.", id, error)

    def _settle(self, entry: Entry) -> None:
        """A row that says nothing of its file: after a crash, or when the disk was full."""
        final = self._outputs / entry.path
        if holds(final, entry.digest):
            self._index.confirm(entry.id)
        else:
            self._index.release(entry.id)

    def _delete_if_trashed(self, id: str) -> bool:
        """False for one that was taken out, or deleted, in this moment."""
        try:
            self.delete(id)
        except (NotFound, InvalidRequest):
            return False
        return True

    def _adopt(self) -> None:
        """Pictures of ours that the index doesn't know: all of them for a new index; after a
        crash those it may not have had the time to write down for good."""
        is_new = not self._index.is_complete
        since = 0 if is_new else self._index.newest_at() - _CLOCK_SLACK_S
        known = frozenset(map(str, map(file_of, self._index.trashed()))) | self._index.paths()
        found = find_pictures(self._outputs, known, since, self._clock())
        if added := self._index.add_found(found):
            log.info("%d pictures were found in %s and listed.", added, self._outputs)

    def _file(self, entry: Entry) -> Path:
        return self._outputs / file_of(entry)

    def _picture(self, entry: Entry) -> Picture:
        return Picture(
            id=entry.id,
            job_id=entry.job_id,
            index=entry.index,
            owner=entry.owner,
            path=self._file(entry),
            width=entry.width,
            height=entry.height,
            recipe=entry_recipe(entry),
            created_at=entry.created_at,
            facts=json.loads(entry.facts),
            is_trashed=entry.trashed_at is not None,
        )


class _OneAtATime:
    """Lets one thread at a time work on each key."""

    def __init__(self) -> None:
        self._busy: set[str] = set()
        self._free: Final = threading.Condition()

    @contextlib.contextmanager
    def of(self, key: str) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: key not in self._busy)
            self._busy.add(key)
        try:
            yield
        finally:
            with self._free:
                self._busy.remove(key)
                self._free.notify_all()


def _write_new(final: Path, data: bytes) -> None:
    """A new file, whole and durable. Raises FileExistsError, OSError; leaves nothing then.

    Tried again when another program that starts on the same folder swept the temporary file.
    """
    for attempt in range(3):
        temp = write_temp(final.parent, data)
        try:
            publish(temp, final)
        except FileNotFoundError:
            if attempt == 2:
                raise
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        else:
            return


def _built_in_labels() -> Labels:
    return Labels(
        samplers={sampler.id: sampler.label for sampler in load_samplers()},
        schedules={schedule.id: schedule.label for schedule in load_schedules()},
    )
