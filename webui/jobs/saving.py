"""Saves pictures that are made, after the extensions of their job have had a look at them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from webui.core.errors import DiskFull
from webui.core.events import JobEvent, PictureSaved
from webui.core.job import Job
from webui.core.result import Picture
from webui.extend.data import ImageItem, SavedImage, StopJob
from webui.extend.job_hooks import FACT
from webui.jobs.album import Album
from webui.jobs.ending import in_a_line
from webui.jobs.hold import Hold, Stopped
from webui.jobs.made import OF_ANY_NUMBER, Made, extra_index
from webui.jobs.making import STOPPED_BY_EXTENSION
from webui.jobs.run import Run
from webui.jobs.store import JobStore

log = logging.getLogger(__name__)

UNSAVED: Final = "what they made of this picture could not be saved"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Saver:
    """Runs in the savers' threads."""

    album: Album
    store: JobStore
    hold: Hold
    publish: Callable[[JobEvent, Job], None]

    def save(self, run: Run, made: Made) -> None:
        """A picture with all that belongs to it. On a full disk it stays in memory and is tried
        again. Another border: an error fails the job, not the saver."""
        try:
            *extras, own = self._finished(run, made)
            for extra in extras:
                self._try(run, *extra)
            self._put(run, *own)
        except Stopped:
            run.is_cut_short = True
        except Exception as error:
            log.exception("Picture %s of job %s could not be saved.", made.index, run.job.id)
            run.reason = f"The picture could not be saved: {in_a_line(error)}"

    def _finished(self, run: Run, made: Made) -> Iterator[tuple[ImageItem, ImageItem]]:
        """What is to be saved as it came and as extensions want it, the picture itself last."""
        hook = "image_post" if run.job.recipe.extras is None else "extras_op"
        plain = _item(made)
        first, *others = _hooked(run, partial(run.hooks.pictures, hook, plain), [plain])
        if run.job.request.verifies is None:
            pictures = OF_ANY_NUMBER if run.is_open_ended else run.job.picture_count
            extras = [(item, item) for item in others]
            extras += [(_item(extra), _item(extra)) for extra in made.extras]
            for number, (before, after) in enumerate(extras):
                index = extra_index(made.index, number, pictures)
                yield replace(before, index=index), replace(after, index=index)
        yield plain, replace(first, index=made.index)

    def _try(self, run: Run, plain: ImageItem, item: ImageItem) -> None:
        """Save an extra picture. One that can't be is no reason to lose the one asked for."""
        try:
            self._put(run, plain, item)
        except Stopped:
            raise
        except Exception:
            log.exception("An extra picture of job %s could not be saved.", run.job.id)

    def _put(self, run: Run, plain: ImageItem, item: ImageItem) -> None:
        """Save one picture, as it came where it can't be saved as extensions want it."""
        item = _hooked(run, partial(run.hooks.before_saving, item), item)
        item = replace(item, index=plain.index)
        try:
            picture = self._written(run, item)
        except Stopped:
            raise
        except Exception:
            if item.image is plain.image and item.recipe is plain.recipe:
                raise
            log.exception("A picture of an extension can't be saved; it is saved as it came.")
            facts = {**plain.facts, FACT: UNSAVED}
            picture = self._written(run, replace(plain, facts=facts))
        self._told(run, picture, item)

    def _written(self, run: Run, item: ImageItem) -> Picture:
        facts = {str(name): str(words) for name, words in item.facts.items()}
        facts = {**facts, **run.hooks.facts}
        save = partial(self.album.save, run.job, item.index, item.image, facts, item.recipe)
        return self.hold.until_room(save)

    def _told(self, run: Run, picture: Picture, item: ImageItem) -> None:
        saved = PictureSaved(picture_id=picture.id, index=item.index)
        with contextlib.suppress(DiskFull):  # the picture itself tells that it is there
            self.store.note(run.job.id, saved)
        self.publish(saved, run.job)
        image = SavedImage(
            id=picture.id, path=picture.path, recipe=picture.recipe, index=item.index
        )
        _hooked(run, partial(run.hooks.tell, "image_save_after", saved=image), None)


def _hooked(run: Run, call: Callable[[], T], otherwise: T) -> T:
    """What hooks make of something, one thread at a time; `otherwise` where one ends the job, or
    trouble comes that is not theirs."""
    try:
        with run.hooks_turn:
            return call()
    except StopJob as stop:
        run.reason = str(stop) or STOPPED_BY_EXTENSION
    except Exception:
        log.exception("The extensions of job %s could not look at a picture.", run.job.id)
    return otherwise


def _item(made: Made) -> ImageItem:
    return ImageItem(image=made.image, recipe=made.recipe, index=made.index, facts=made.facts)
