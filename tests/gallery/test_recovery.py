"""Starting again after a crash, a damaged index, or a lost data folder."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gallery.album import draw, make_job, open_gallery, read
from webui.core.errors import GessoError
from webui.core.files import TEMP_PREFIX
from webui.core.job import LOCAL
from webui.core.request import Mode
from webui.core.result import Picture
from webui.gallery.gallery import Gallery

INDEX = "data/gallery.sqlite"


def make_album(root: Path) -> list[Picture]:
    """Three pictures as the page shows them, the last in the trash; the gallery is closed."""
    seconds = itertools.count(1_700_000_000)
    gallery = open_gallery(root, clock=lambda: float(next(seconds)))
    gallery.save(make_job("a", "an apple"), 0, draw(0), {"device": "CPU"})
    gallery.save(make_job("b", mode=Mode.INPAINT), 0, draw(1))
    gallery.trash(gallery.save(make_job("c", batch_count=2), 1, draw(2)).id)
    pictures = listed(gallery)
    gallery.close()
    return pictures


def listed(gallery: Gallery) -> list[Picture]:
    return [*gallery.page(LOCAL), *gallery.page(LOCAL, trashed=True)]


def sql(root: Path, statement: str) -> None:
    connection = sqlite3.connect(root / INDEX)
    connection.execute(statement)
    connection.commit()
    connection.close()


def assert_same_after_a_start(root: Path, pictures: list[Picture]) -> None:
    gallery = open_gallery(root)
    assert listed(gallery) == pictures
    gallery.close()


def test_lost_data_folder_is_made_again_from_the_pictures(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    shutil.rmtree(tmp_path / "data")
    assert_same_after_a_start(tmp_path, pictures)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: b"not a database, but text that is long enough to be one" * 100,
        lambda data: data[:100] + random.Random(1).randbytes(len(data) - 100),
        lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    ],
)
def test_damaged_index_is_set_aside_and_made_again(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    pictures = make_album(tmp_path)
    index = tmp_path / INDEX
    damaged = damage(index.read_bytes())
    index.write_bytes(damaged)
    assert_same_after_a_start(tmp_path, pictures)
    kept = [path.read_bytes() for path in (tmp_path / "data").glob("gallery.sqlite.damaged-*")]
    assert kept == ([damaged] if damaged else [])


def truncate_at_each(root: Path, offsets: list[int]) -> None:
    pictures = make_album(root)
    whole = (root / INDEX).read_bytes()
    for offset in offsets:
        (root / INDEX).write_bytes(whole[:offset])
        assert_same_after_a_start(root, pictures)


def size_of_index(root: Path) -> int:
    make_album(root)
    return (root / INDEX).stat().st_size


def test_index_cut_off_at_the_borders_of_its_pages(tmp_path: Path) -> None:
    size = size_of_index(tmp_path / "measure")
    pages = range(0, size, 4096)
    offsets = [*pages, *(page + 1 for page in pages), *(page - 1 for page in pages if page)]
    truncate_at_each(tmp_path / "album", [1, 16, 99, 100, 101, *offsets])


@pytest.mark.slow
def test_index_cut_off_anywhere(tmp_path: Path) -> None:
    size = size_of_index(tmp_path / "measure")
    truncate_at_each(tmp_path / "album", list(range(0, size, 61)))


def test_index_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    make_album(tmp_path)
    sql(tmp_path, "PRAGMA user_version = 99")
    before = (tmp_path / INDEX).read_bytes()
    with pytest.raises(GessoError, match="later version"):
        open_gallery(tmp_path)
    assert (tmp_path / INDEX).read_bytes() == before


def test_strangers_pictures_are_not_listed(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    folder = pictures[0].path.parent
    draw().save(folder / "photo.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    (folder / "notes.txt").write_text("gesso")
    (folder / "linked.png").symlink_to(pictures[0].path)
    (tmp_path / INDEX).unlink()
    assert_same_after_a_start(tmp_path, pictures)


def test_copy_of_a_picture_is_listed_once(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    shutil.copy(pictures[0].path, pictures[0].path.with_name("z-copy.png"))
    (tmp_path / INDEX).unlink()
    assert_same_after_a_start(tmp_path, pictures)


def test_rebuild_keeps_the_order_in_which_pictures_were_made(tmp_path: Path) -> None:
    times = iter(range(1_700_000_000, 1_800_000_000, 86_400))
    gallery = open_gallery(tmp_path, clock=lambda: float(next(times)))
    for number in (3, 1, 2):
        gallery.save(make_job(f"j{number}"), 0, draw(number))
    gallery.close()
    (tmp_path / INDEX).unlink()
    gallery = open_gallery(tmp_path)
    assert [picture.job_id for picture in gallery.page(LOCAL)] == ["j2", "j1", "j3"]
    gallery.close()


def test_numbers_go_on_after_a_rebuild(tmp_path: Path) -> None:
    make_album(tmp_path)
    (tmp_path / INDEX).unlink()
    gallery = open_gallery(tmp_path)
    # 00000 is shown, 00001 lies in the trash.
    assert gallery.save(make_job("d"), 0, draw()).path.name == "00002-5.png"
    gallery.close()


def test_picture_that_a_power_cut_took_from_the_index_comes_back(tmp_path: Path) -> None:
    """The file was synced, the last pages of the log were not."""
    pictures = make_album(tmp_path)
    sql(tmp_path, "DELETE FROM pictures WHERE job_id = 'a'")
    (tmp_path / "data" / "gallery.sqlite-wal").touch()
    gallery = open_gallery(tmp_path)
    assert gallery.get(pictures[1].id) == pictures[1]
    assert len(listed(gallery)) == 3
    gallery.close()


def reserved_row(root: Path, job_id: str) -> None:
    sql(root, f"UPDATE pictures SET is_saved = 0 WHERE job_id = '{job_id}'")


def test_reserved_picture_that_is_whole_is_listed(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    reserved_row(tmp_path, "a")
    assert_same_after_a_start(tmp_path, pictures)


@pytest.mark.parametrize("content", [None, b"another program's", b""])
def test_reserved_picture_that_is_not_there_is_made_again(
    tmp_path: Path, content: bytes | None
) -> None:
    make_album(tmp_path)
    reserved_row(tmp_path, "a")
    path = tmp_path / "outputs/txt2img-images/2023-11-14/00000-5.png"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    gallery = open_gallery(tmp_path)
    assert gallery.indices(make_job("a").id) == frozenset()
    again = gallery.save(make_job("a"), 0, draw(0))
    assert read(again.path).tobytes() == draw(0).tobytes()
    if content:
        assert path.read_bytes() == content
    assert [path for path in (tmp_path / "outputs").rglob("*.png") if not path.stat().st_size] == []
    gallery.close()


def test_temporary_files_of_a_crash_are_swept(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    reserved_row(tmp_path, "a")
    temp = pictures[1].path.with_name(f"{TEMP_PREFIX}0123")
    temp.write_bytes(b"half a picture")
    assert_same_after_a_start(tmp_path, pictures)
    assert not temp.exists()


def test_move_to_the_trash_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    pictures = make_album(tmp_path)
    trashed = pictures[2].path
    original = tmp_path / "outputs/txt2img-images/2023-11-14/00001-6.png"
    trashed.rename(original)
    assert_same_after_a_start(tmp_path, pictures)
    assert trashed.is_file()
    os.link(trashed, original)  # killed between the new name and the removal of the old
    assert_same_after_a_start(tmp_path, pictures)
    assert trashed.is_file()
    assert not original.exists()


def test_record_in_the_file_names_job_and_owner(tmp_path: Path) -> None:
    """What the rebuild relies on, in the words of the file."""
    pictures = make_album(tmp_path)
    text = read(pictures[1].path).info["gesso"]
    record = json.loads(text)
    assert (record["job_id"], record["index"], record["owner"]) == ("a", 0, "local")
    assert (record["schema"], record["recipe"]["prompt"]) == (1, "an apple")
