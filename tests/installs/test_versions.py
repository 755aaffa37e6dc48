"""Going on and going back: updates, rollback, uninstalling, snapshots of the whole set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installs.making import (
    Content,
    House,
    extension,
    make_house,
    wheel,
    written,
    zipped,
)
from tests.installs.repositories import Forge, Repository, serving_git
from webui.core.errors import InvalidRequest, NotFound
from webui.installs.lockfile import FILE
from webui.installs.source import Asked
from webui.installs.task import Task, TaskState
from webui.installs.trash import KEPT_DAYS
from webui.installs.trees import tree_hash

PERMISSION = '[permissions.network]\nreason = "to fetch words"\nhosts = ["words.example"]\n'
BASE = 'id = "film-dust"\nname = "Film dust"\nversion = "2.0"\n'


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with serving_git(tmp_path / "repositories") as made:
        yield made


@pytest.fixture
def house(tmp_path: Path, forge: Forge, links: Path, as_before: None) -> Iterator[House]:
    made = make_house(tmp_path / "house", hosts=[forge.host], links=links, doctor=Content())
    yield made
    made.installs.close()


@pytest.fixture
def dust(house: House, forge: Forge) -> Repository:
    """An extension that is installed from a repository."""
    repository = forge.repository("dust", extension({"words.txt": "one", "gone.txt": "x"}))
    task = house.installs.begin(Asked(address=repository.url))
    house.installed(house.installs.wait(task.id))
    return repository


def updated(house: House, ref: str = "") -> Task:
    """The review of the newest state."""
    return house.installs.wait(house.installs.begin_update("film-dust", ref).id)


def text_of(house: House, name: str) -> str:
    return (house.extensions / "film-dust" / name).read_text()


def test_sources_are_asked_only_when_a_person_asks(house: House, dust: Repository) -> None:
    commit = dust.commit({"words.txt": "two"})
    assert not house.installs.lock.get("film-dust").has_update
    house.installs.wait(house.installs.check_updates().id)
    entry = house.installs.lock.get("film-dust")
    assert (entry.has_update, entry.newest_commit) == (True, commit)
    house.installed(updated(house))
    assert not house.installs.lock.get("film-dust").has_update


def test_an_update_is_looked_at_and_changes_nothing_before(house: House, dust: Repository) -> None:
    dust.commit({"words.txt": "two", "new.txt": "n"}, remove=["gone.txt"])
    task = updated(house)
    assert task.review is not None
    changes = task.review.changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed, changes.reasons) == (
        ("new.txt",), ("gone.txt",), ("words.txt",), (),
    )  # fmt: skip
    assert text_of(house, "words.txt") == "one"
    house.installed(task)
    assert text_of(house, "words.txt") == "two"
    assert not (house.extensions / "film-dust" / "gone.txt").exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"extension.toml": BASE + PERMISSION}, "new permission: network (to fetch words)"),
        ({"extension.toml": BASE + 'dependencies = ["lark"]\n'}, "other packages: lark"),
        ({"extra.py": "import subprocess\nsubprocess.run(['x'])"}, "something new: process"),
    ],
)
def test_what_an_owner_did_not_agree_to_is_named(
    house: House, dust: Repository, files: dict[str, str], told: str
) -> None:
    dust.commit(files)
    review = updated(house).review
    assert review is not None
    assert review.changes is not None
    assert told in " ".join(review.changes.reasons)


def test_another_install_script_is_named(house: House, forge: Forge) -> None:
    script = "import launch\n"
    repository = forge.repository("old", {"scripts/a.py": "x = 1", "install.py": script})
    house.installed(house.installs.wait(house.installs.begin(Asked(address=repository.url)).id))
    repository.commit({"install.py": script + "print(1)\n"})
    review = house.installs.wait(house.installs.begin_update("old").id).review
    assert review is not None
    assert review.changes is not None
    assert review.changes.reasons == ("Its install.py is another.",)


def test_what_was_made_in_its_folder_survives_an_update(house: House, dust: Repository) -> None:
    folder = house.extensions / "film-dust"
    written(folder, {"mine.txt": "mine", "words.txt": "my own words"})
    dust.commit({"new.txt": "n"})
    house.installed(updated(house))
    assert (text_of(house, "mine.txt"), text_of(house, "words.txt")) == ("mine", "my own words")
    dust.commit({"words.txt": "theirs now"})
    house.installed(updated(house))
    assert (text_of(house, "mine.txt"), text_of(house, "words.txt")) == ("mine", "theirs now")


def test_one_click_goes_back_and_another_forth(house: House, dust: Repository) -> None:
    before = tree_hash(house.extensions / "film-dust")
    first = house.installs.lock.get("film-dust").now.source.commit
    second = dust.commit({"words.txt": "two"})
    house.installed(updated(house))
    entry = house.installs.rollback("film-dust")
    assert (entry.now.source.commit, text_of(house, "words.txt")) == (first, "one")
    assert tree_hash(house.extensions / "film-dust") == before
    entry = house.installs.rollback("film-dust")
    assert (entry.now.source.commit, text_of(house, "words.txt")) == (second, "two")


def test_going_back_brings_the_packages_back_without_asking(
    house: House, dust: Repository, links: Path
) -> None:
    for version in ("1.0", "2.0"):
        wheel(links, "lark", version)
    packages = house.installs.lock.now.packages
    dust.commit({"extension.toml": BASE + 'dependencies = ["lark<2"]\n'})
    house.installed(updated(house))
    old = house.installs.lock.now.packages
    dust.commit({"extension.toml": BASE + 'dependencies = ["lark"]\n'})
    house.installed(updated(house))
    house.installs.rollback("film-dust")
    assert (packages, house.installs.lock.now.packages) == ("", old)


def test_two_states_are_kept_and_no_more(tmp_path: Path, house: House, dust: Repository) -> None:
    for word in ("two", "three", "four"):
        dust.commit({"words.txt": word})
        house.installed(updated(house))
    again = make_house(tmp_path / "house")
    kept = list((tmp_path / "house" / "data" / "installs" / "versions").iterdir())
    assert [(path / "words.txt").read_text() for path in kept] == ["three"]
    again.installs.rollback("film-dust")
    assert text_of(again, "words.txt") == "three"


def test_there_is_nothing_to_go_back_to_at_first(house: House, dust: Repository) -> None:
    with pytest.raises(InvalidRequest, match="no earlier state"):
        house.installs.rollback("film-dust")
    with pytest.raises(NotFound):
        house.installs.rollback("nothing")


def test_an_update_to_another_extension_is_refused(house: House, dust: Repository) -> None:
    dust.commit({"extension.toml": 'id = "other"\nname = "Other"\n'})
    task = updated(house)
    assert (task.state, "other" in task.note) == (TaskState.FAILED, True)


def test_an_uninstalled_one_lies_in_the_trash_and_comes_back(
    house: House, dust: Repository
) -> None:
    written(house.shelf.data("film-dust"), {"notes.txt": "kept"})
    removed = house.installs.uninstall("film-dust")
    assert list(house.extensions.iterdir()) == []
    assert house.shelf.on == set()
    assert (house.shelf.data("film-dust") / "notes.txt").exists()
    assert [each.id for each in house.installs.trash.all()] == [removed.id]
    house.installs.bring_back(removed.id)
    assert (text_of(house, "words.txt"), house.shelf.on) == ("one", set())
    assert house.installs.trash.all() == []
    house.installs.uninstall("film-dust", with_data=True)
    assert not house.shelf.data("film-dust").exists()


def test_the_trash_is_emptied_after_a_month(house: House, dust: Repository) -> None:
    removed = house.installs.uninstall("film-dust")
    house.installs.trash.tidy(removed.removed_at + KEPT_DAYS * 86400 - 60)
    assert len(house.installs.trash.all()) == 1
    house.installs.trash.tidy(removed.removed_at + KEPT_DAYS * 86400 + 60)
    assert house.installs.trash.all() == []


def restored(house: House, id: str) -> Task:
    return house.installs.wait(house.installs.restore(id).id)


def test_a_snapshot_brings_the_whole_set_back(house: House, dust: Repository) -> None:
    house.installed(house.upload(zipped(extension(manifest='id = "two"\nname = "Two"\n'))))
    house.shelf.on.discard("two")
    snapshot = house.installs.save_snapshot("before")
    dust.commit({"words.txt": "two"})
    house.installed(updated(house))
    house.installs.uninstall("two")
    house.installed(house.upload(zipped(extension(manifest='id = "three"\nname = "Three"\n'))))
    done = restored(house, snapshot.id)
    assert (done.state, done.note) == (TaskState.DONE, "")
    assert sorted(path.name for path in house.extensions.iterdir()) == ["film-dust", "two"]
    assert (text_of(house, "words.txt"), house.shelf.on) == ("one", {"film-dust"})


def test_a_snapshot_fetches_what_is_here_no_more(house: House, dust: Repository) -> None:
    snapshot = house.installs.save_snapshot("")
    house.installs.uninstall("film-dust")
    house.installs.trash.tidy(2e10)
    dust.commit({"words.txt": "two"})
    assert restored(house, snapshot.id).note == ""
    assert text_of(house, "words.txt") == "one"


def test_a_damaged_lock_is_set_aside(tmp_path: Path, as_before: None) -> None:
    written(tmp_path / "data" / "extensions", {FILE: "{nothing"})
    house = make_house(tmp_path)
    assert house.installs.lock.now.entries == ()
    assert len(list((tmp_path / "data" / "extensions").glob("*.damaged-*"))) == 1
