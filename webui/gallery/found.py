"""Reading the gallery back from the pictures themselves: their records say what they are."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from webui.core.codec import to_json
from webui.core.errors import UnreadablePicture
from webui.gallery.index import Entry, picture_id, search_words
from webui.gallery.numbers import leading_number
from webui.imaging.picture_text import PictureRecord, PictureText, read_picture_text

log = logging.getLogger(__name__)

TRASH: Final = ".trash"
_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def file_of(entry: Entry) -> PurePosixPath:
    """Where the picture lies below the outputs folder now. The id in the name of a trashed one
    keeps it apart from later pictures of the same name."""
    path = PurePosixPath(entry.path)
    return path if entry.trashed_at is None else trashed_file(entry.id, path)


def trashed_file(id: str, path: PurePosixPath) -> PurePosixPath:
    """Where a picture lies while it is in the trash."""
    return TRASH / path.with_name(f"{path.stem}.{id}{path.suffix}")


def find_pictures(
    outputs: Path, known: Container[str], changed_since: float, now: float
) -> Iterator[Entry]:
    """Our own pictures below the folder that `known` paths don't include and that were written
    since. Those in the trash count as put there `now`."""
    for path in _files(outputs):
        relative = path.relative_to(outputs).as_posix()
        if relative in known or path.stat().st_mtime < changed_since:
            continue
        try:
            text = read_picture_text(path)
        except (UnreadablePicture, OSError) as error:
            log.debug("%s is passed over: %s", relative, error)
            continue
        if text.record is not None:
            yield _entry(PurePosixPath(relative), text, text.record, now)


def holds(path: Path, digest: str) -> bool:
    """Whether the file is there and is the one that was to be written.

    An empty file is the mark of a name that was claimed but not filled: it is removed.
    """
    try:
        data = path.read_bytes()
        if not data:
            path.unlink()
    except OSError:
        return False
    return hashlib.sha256(data).hexdigest() == digest


def _files(outputs: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(outputs):
        is_top = Path(folder) == outputs
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") or (is_top and name == TRASH)
        )
        for name in sorted(names):
            path = Path(folder, name)
            is_picture = path.suffix.lower() in _SUFFIXES and not name.startswith(".")
            if is_picture and not path.is_symlink():
                yield path


def _entry(path: PurePosixPath, text: PictureText, record: PictureRecord, now: float) -> Entry:
    id = picture_id(record.job_id, record.index)
    is_trashed = path.parts[0] == TRASH
    if is_trashed:
        name = f"{path.stem.removesuffix(f'.{id}')}{path.suffix}"
        path = PurePosixPath(*path.parts[1:]).with_name(name)
    return Entry(
        id=id,
        job_id=record.job_id,
        index=record.index,
        owner=record.owner,
        mode=record.recipe.mode,
        path=str(path),
        width=text.width,
        height=text.height,
        words=search_words(record.recipe),
        series=str(path.parent),
        number=leading_number(path.name) or 0,
        created_at=record.created_at,
        trashed_at=now if is_trashed else None,
        digest="",
        facts=json.dumps(dict(record.facts)),
        recipe=to_json(record.recipe),
    )
