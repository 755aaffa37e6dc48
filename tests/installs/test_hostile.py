"""Zips made to do harm: refused whole, with nothing written outside of quarantine."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from tests.installs.making import House, extension, zipped
from webui.installs.line import Line
from webui.installs.task import TaskState
from webui.installs.unpack import Limits, unpack

ESCAPES = (
    "../out.py", "a/../../out.py", "/etc/out.py", "..\\out.py", "C:\\out.py", "C:/out.py",
    "\\\\host\\share\\out.py", "a/./../../out.py", "a//out.py", "./out.py",
)  # fmt: skip
ILLEGAL = (
    "con.py", "a/NUL", "aux.txt", "com1.py", "lpt9", "what?.py", "a:b.py", "tail.", "tail ",
    "new\nline.py", "pipe|.py", "a" * 200 + ".py", "/".join(["deep" * 10] * 8),
)  # fmt: skip


@pytest.mark.parametrize("name", [*ESCAPES, *ILLEGAL])
def test_a_name_that_leads_elsewhere_or_is_illegal_somewhere(house: House, name: str) -> None:
    task = house.upload(zipped(extension({name: "x"})))
    assert (task.state, "Nothing was installed" in task.note) == (TaskState.FAILED, True), task.note
    assert list(house.root.rglob("out.py")) == []
    assert list(house.quarantine.glob("*")) == []


def test_two_names_that_are_one_elsewhere(house: House) -> None:
    task = house.upload(zipped(extension({"Readme.md": "a", "README.md": "b"})))
    assert task.state is TaskState.FAILED
    assert "only in capitals" in task.note


def test_a_file_where_a_folder_is(house: House) -> None:
    task = house.upload(zipped(extension({"a": "x", "a/b": "y"})))
    assert task.state is TaskState.FAILED
    assert "one name" in task.note


def linked(name: str, target: str) -> bytes:
    """A zip with a symbolic link, as Unix packs it."""
    buffer = io.BytesIO(zipped(extension()))
    with zipfile.ZipFile(buffer, "a") as packed:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, target)
    return buffer.getvalue()


def test_links_are_refused(house: House) -> None:
    task = house.upload(linked("words", "/etc"))
    assert task.state is TaskState.FAILED
    assert "a link or a device" in task.note


def test_a_bomb_is_refused_before_it_is_unpacked(house: House) -> None:
    task = house.upload(zipped(extension({"bomb.txt": b"\0" * (40 * 2**20)})))
    assert task.state is TaskState.FAILED
    assert "bomb.txt" in task.note


def lying(data: bytes, size: int) -> bytes:
    """The zip with another size written where it tells how large its last file is."""
    at = data.rindex(b"PK\x01\x02") + 24
    return data[:at] + size.to_bytes(4, "little") + data[at + 4 :]


def test_a_file_that_says_it_is_small_is_cut_off(house: House) -> None:
    data = zipped({**extension(), "bomb.txt": b"\0" * (40 * 2**20)})
    task = house.upload(lying(data, 10))
    assert task.state is TaskState.FAILED
    assert list(house.root.rglob("bomb.txt")) == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(files=3), "more than 3"),
        (Limits(bytes=1000), "more than 0 MB"),
        (Limits(file_bytes=1000), "a file"),
    ],
)
def test_there_is_a_most_of_everything(tmp_path: Path, limits: Limits, told: str) -> None:
    many = {f"{number}.txt": bytes(range(250)) * 5 for number in range(5)}
    (tmp_path / "many.zip").write_bytes(zipped(many))
    with pytest.raises(Exception, match=told):
        unpack(tmp_path / "many.zip", tmp_path / "out", Line(), limits)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"no zip at all", zipped(extension())[:-40]])
def test_what_is_no_whole_zip_is_refused(house: House, data: bytes) -> None:
    task = house.upload(data)
    assert (task.state, "no zip" in task.note) == (TaskState.FAILED, True), task.note


def test_an_empty_zip_is_refused(house: House) -> None:
    assert "empty" in house.upload(zipped({})).note
