"""Giving a file its name, on file systems with and without hard links."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from webui.gallery.publish import move, publish

Link = Callable[[Path, Path], None]


def no_links(temp: Path, final: Path) -> None:
    """What FAT says."""
    raise OSError(errno.EPERM, "Operation not permitted")


links = pytest.mark.parametrize("link", [os.link, no_links])


@links
def test_file_appears_whole_and_the_temporary_one_goes(tmp_path: Path, link: Link) -> None:
    (tmp_path / "temp").write_bytes(b"new")
    publish(tmp_path / "temp", tmp_path / "final", link)
    assert [path.name for path in tmp_path.iterdir()] == ["final"]
    assert (tmp_path / "final").read_bytes() == b"new"


@links
def test_file_that_is_there_stays_and_so_does_the_temporary_one(tmp_path: Path, link: Link) -> None:
    (tmp_path / "temp").write_bytes(b"new")
    (tmp_path / "final").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        publish(tmp_path / "temp", tmp_path / "final", link)
    assert (tmp_path / "final").read_bytes() == b"old"
    assert (tmp_path / "temp").read_bytes() == b"new"


@links
def test_nothing_appears_when_the_temporary_file_is_gone(tmp_path: Path, link: Link) -> None:
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "temp", tmp_path / "final", link)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass(tmp_path: Path) -> None:
    def fail(temp: Path, final: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path / "temp", tmp_path / "final", fail)


def test_file_moves_to_another_disk(tmp_path: Path, small_disk: Path) -> None:
    source, final = tmp_path / "picture", small_disk / "folder" / "picture"
    source.write_bytes(b"pixels")
    move(source, final)
    assert final.read_bytes() == b"pixels"
    assert not source.exists()
    assert [path.name for path in final.parent.iterdir()] == ["picture"]
