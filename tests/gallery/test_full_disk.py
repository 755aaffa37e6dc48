"""A disk that fills up at any point of a save: nothing partial stays, and it goes on afterwards."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.gallery.album import draw, make_job, open_gallery, read
from webui.core.errors import DiskFull
from webui.core.job import LOCAL
from webui.gallery.gallery import Gallery
from webui.gallery.room import free_bytes
from webui.settings import Settings

NO_GUARD = Settings(keep_free_mb=0)
BLOCK = 4096


def open_small(disk: Path) -> Gallery:
    """A gallery on the small disk that is told of plenty of room, and finds out by writing."""
    return open_gallery(disk, lambda: NO_GUARD)


def fill(path: Path, leave: int) -> None:
    """Write a file that leaves so many bytes free."""
    with path.open("wb") as file:
        while (room := free_bytes(path.parent) - leave) >= BLOCK:
            file.write(bytes(min(room // BLOCK * BLOCK, 2**16)))
            file.flush()


def pictures(disk: Path) -> list[Path]:
    return [path for path in (disk / "outputs").rglob("*") if path.is_file()]


def test_check_before_a_job_follows_the_setting(tmp_path: Path) -> None:
    free = 100_000_000
    gallery = open_gallery(tmp_path, lambda: Settings(keep_free_mb=100), lambda _: free)
    gallery.check_room()
    with pytest.raises(DiskFull, match="has 100 MB left, and 100 MB are to stay free"):
        gallery.check_room(1)
    free -= 1
    with pytest.raises(DiskFull):
        gallery.check_room()
    gallery.close()


def test_save_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    free = 0
    gallery = open_gallery(tmp_path, lambda: Settings(keep_free_mb=100), lambda _: free)
    with pytest.raises(DiskFull, match="keep less free in Settings"):
        gallery.save(make_job(), 0, draw())
    assert pictures(tmp_path) == []
    free = 10**9
    assert gallery.save(make_job(), 0, draw()).path.name == "00000-5.png"
    gallery.close()


def test_disk_that_fills_up_during_a_save(small_disk: Path) -> None:
    """Every amount of room from none to enough, in steps of a block.

    When only the last note found no room, the whole picture stays and the next try finds it.
    """
    gallery = open_small(small_disk)
    gallery.save(make_job("first"), 0, draw(side=128))
    size = pictures(small_disk)[0].stat().st_size
    refused = 0
    for blocks in range(size // BLOCK + 24):
        fill(small_disk / "ballast", blocks * BLOCK)
        job = make_job(f"job-{blocks}")
        before = len(pictures(small_disk))
        try:
            picture = gallery.save(job, 0, draw(blocks, side=128))
        except DiskFull:
            refused += 1
            assert all(read(path).size == (128, 128) for path in pictures(small_disk))
            assert before <= len(pictures(small_disk)) <= before + 1
            (small_disk / "ballast").unlink()
            picture = gallery.save(job, 0, draw(blocks, side=128))
        else:
            (small_disk / "ballast").unlink()
        assert read(picture.path).tobytes() == draw(blocks, side=128).tobytes()
    assert refused > 3
    listed = gallery.page(LOCAL, limit=1000)
    assert sorted(picture.path for picture in listed) == sorted(pictures(small_disk))
    gallery.close()


def test_numbers_have_no_gap_after_a_full_disk(small_disk: Path) -> None:
    gallery = open_small(small_disk)
    gallery.save(make_job("a"), 0, draw(side=128))
    fill(small_disk / "ballast", 0)
    for _ in range(3):
        with pytest.raises(DiskFull):
            gallery.save(make_job("b"), 0, draw(side=128))
    (small_disk / "ballast").unlink()
    assert gallery.save(make_job("b"), 0, draw(side=128)).path.name == "00001-5.png"
    gallery.close()


def test_pictures_can_be_trashed_on_a_full_disk(small_disk: Path) -> None:
    """SQLite needs room even for that; the reserve gives it."""
    gallery = open_small(small_disk)
    gallery.check_room()
    ids = [gallery.save(make_job(str(i)), 0, draw(i, side=128)).id for i in range(20)]
    fill(small_disk / "ballast", 0)
    for id in ids:
        assert gallery.trash(id).path.is_file()
    assert gallery.page(LOCAL) == []
    gallery.close()


def test_picture_that_can_not_be_moved_stays_where_it_is(gallery: Gallery, tmp_path: Path) -> None:
    picture = gallery.save(make_job(), 0, draw())
    (tmp_path / "outputs" / ".trash").write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        gallery.trash(picture.id)
    assert gallery.page(LOCAL) == [picture]
    assert picture.path.is_file()


def test_gallery_opens_on_a_full_disk(small_disk: Path) -> None:
    gallery = open_small(small_disk)
    picture = gallery.save(make_job(), 0, draw(side=128))
    gallery.close()
    fill(small_disk / "ballast", 0)
    gallery = open_small(small_disk)
    assert gallery.page(LOCAL) == [picture]
    gallery.close()


def test_reserve_is_set_aside_again_when_there_is_room(small_disk: Path) -> None:
    gallery = open_small(small_disk)
    reserve = small_disk / "data" / "reserve"
    size = reserve.stat().st_size
    reserve.unlink()
    gallery.check_room()
    assert reserve.stat().st_size == size > 100_000
    gallery.close()


def test_other_trouble_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    gallery = open_gallery(tmp_path)
    (tmp_path / "outputs" / "txt2img-images").write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError) as trouble:
        gallery.save(make_job(), 0, draw())
    assert trouble.value.errno in (errno.EEXIST, errno.ENOTDIR)
    (tmp_path / "outputs" / "txt2img-images").unlink()
    assert gallery.save(make_job(), 0, draw()).path.is_file()
    gallery.close()
