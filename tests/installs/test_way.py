"""An extension's way in: fetched, looked at, tried out, agreed to, put into its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installs.making import House, extension, make_house, written, zipped
from webui.core.errors import InvalidRequest, NotFound
from webui.installs.doctor import Outcome
from webui.installs.installs import Confirmed
from webui.installs.source import Asked
from webui.installs.task import Task, TaskState


def files_in(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_zip_becomes_an_extension_that_is_on(house: House) -> None:
    task = house.upload(zipped(extension(), around="film-dust-1.0/"))
    assert (task.state, task.extension) == (TaskState.REVIEW, "film-dust")
    assert not house.extensions.exists()
    task = house.examine(task)
    assert task.state is TaskState.EXAMINED
    assert task.verdict is not None
    assert task.verdict.outcome is Outcome.WORKS
    done = house.confirm(task)
    assert done.state is TaskState.DONE
    assert files_in(house.extensions) == [
        "film-dust",
        "film-dust/__init__.py",
        "film-dust/extension.toml",
    ]
    assert house.shelf.on == {"film-dust"}
    assert list(house.quarantine.glob("*")) == []
    assert [entry.id for entry in house.installs.lock.now.entries] == ["film-dust"]


def test_what_is_confirmed_is_what_was_looked_at(house: House) -> None:
    task = house.examine(house.upload(zipped(extension())))
    with pytest.raises(InvalidRequest) as refused:
        house.installs.confirm(task.id, Confirmed(fingerprint="0" * 64))
    assert refused.value.field == "fingerprint"
    (code,) = house.quarantine.glob("*/files/*/__init__.py")
    code.write_text("import os; os.system('rm -rf /')")
    assert house.confirm(task).state is TaskState.FAILED
    assert not house.extensions.exists()


def test_nothing_comes_in_before_it_was_examined(house: House) -> None:
    task = house.upload(zipped(extension()))
    assert task.review is not None
    with pytest.raises(InvalidRequest):
        house.installs.confirm(task.id, Confirmed(fingerprint=task.review.fingerprint))


def test_a_cancelled_one_leaves_nothing(house: House) -> None:
    task = house.upload(zipped(extension()))
    house.installs.cancel(task.id)
    assert list(house.quarantine.glob("*")) == []
    assert house.installs.task(task.id).state is TaskState.CANCELLED
    house.installs.cancel(task.id)
    with pytest.raises(NotFound):
        house.installs.task(task.id)


def test_an_extension_is_not_installed_twice(house: House) -> None:
    house.installed(house.upload(zipped(extension())))
    again = house.upload(zipped(extension()))
    assert again.state is TaskState.FAILED
    assert "installed already" in again.note


def test_what_somebody_put_there_is_not_written_over(house: House) -> None:
    written(house.extensions / "film-dust", {"mine.py": "x = 1"})
    task = house.upload(zipped(extension()))
    assert task.state is TaskState.FAILED
    assert files_in(house.extensions / "film-dust") == ["mine.py"]


def begun(house: House, path: Path, *, is_linked: bool = False) -> Task:
    asked = Asked(address=str(path), is_linked=is_linked)
    return house.installs.wait(house.installs.begin(asked).id)


def test_a_folder_is_copied_without_its_history(house: House, tmp_path: Path) -> None:
    more = {".git/config": "x", "__pycache__/a.pyc": b"x", "sub/a.txt": "a"}
    folder = written(tmp_path / "dust", extension(more))
    entry = house.installed(begun(house, folder))
    assert entry.now.source.address == str(folder)
    names = [name for name in files_in(house.extensions / "film-dust") if "." in name]
    assert names == ["__init__.py", "extension.toml", "sub/a.txt"]


def test_a_linked_folder_is_used_where_it_lies(house: House, tmp_path: Path) -> None:
    folder = written(tmp_path / "dust", extension())
    house.installed(begun(house, folder, is_linked=True))
    written(folder, {"new.txt": "here at once"})
    assert (house.extensions / "film-dust" / "new.txt").read_text() == "here at once"
    house.installs.uninstall("film-dust")
    assert not (house.extensions / "film-dust").exists()
    assert (folder / "new.txt").exists()


def test_a_single_file_becomes_a_single_file(house: House, tmp_path: Path) -> None:
    code = "from webui.extend import hook\n@hook\ndef prompt(words):\n    return None\n"
    folder = written(tmp_path, {"Tidy words.py": code})
    entry = house.installed(begun(house, folder / "Tidy words.py"))
    assert (entry.id, files_in(house.extensions)) == ("tidy-words", ["tidy-words.py"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nothing",
        "ext::sh -c touch",
        "git@host:a/b",
        "ssh://host/a",
        "file:///etc",
        "/nowhere/x",
    ],
)
def test_what_is_no_source_is_refused_at_once(house: House, address: str) -> None:
    with pytest.raises(InvalidRequest):
        house.installs.begin(Asked(address=address))
    assert house.installs.tasks() == []


def test_a_folder_without_an_extension_is_refused(house: House, tmp_path: Path) -> None:
    written(tmp_path / "letters", {"mum.txt": "dear"})
    task = begun(house, tmp_path / "letters")
    assert task.state is TaskState.FAILED
    assert "is no extension" in task.note


def test_a_start_clears_what_was_not_agreed_to(tmp_path: Path, as_before: None) -> None:
    first = make_house(tmp_path)
    first.upload(zipped(extension()))
    assert list(first.quarantine.glob("*")) != []
    again = make_house(tmp_path)
    assert not again.quarantine.exists()
    assert again.installs.tasks() == []
