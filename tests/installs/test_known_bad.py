"""What turned out to do harm, in a whole studio: it stays off at the next start, and says why."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import make_studio
from tests.installs.making import extension, make_house, written, zipped
from webui.extend.extension import State
from webui.installs.known_bad import BadSource, KnownBad, read_known_bad
from webui.installs.lockfile import Entry, LockFile, Version
from webui.installs.source import Asked, Source, SourceKind
from webui.installs.task import TaskState


def test_an_extension_from_a_bad_source_stays_off(
    tmp_path: Path, as_before: None, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"{read_known_bad().sources[0].address.lower()}.git"
    source = Source(kind=SourceKind.GIT, address=address, commit="a" * 40)
    now = Version(source=source, version="1", tree_sha256="", installed_at=time.time())
    entry = Entry(id="film-dust", name="Film dust", folder="film-dust", now=now)
    LockFile(tmp_path / "data" / "extensions").put(entry)
    written(tmp_path / "extensions" / "film-dust", extension())
    studio = make_studio(tmp_path)
    studio.start()
    try:
        seen = studio.extensions.enable("film-dust")
        ((id, reason),) = studio.installs.known_bad()
    finally:
        studio.close()
    assert (seen.state, id) == (State.HELD, "film-dust")
    assert "known to do harm" in reason
    assert "“film-dust” stays off" in caplog.text


def test_one_that_comes_is_refused(tmp_path: Path, as_before: None) -> None:
    folder = written(tmp_path / "dust", extension())
    bad = KnownBad(sources=(BadSource(address=str(folder), reason="it steals."),))
    house = make_house(tmp_path / "house", known_bad=bad)
    task = house.installs.wait(house.installs.begin(Asked(address=str(folder))).id)
    assert task.state is TaskState.FAILED
    assert task.note.startswith("This extension is known to do harm: it steals.")


def test_a_name_that_windows_can_not_have_becomes_another(tmp_path: Path, as_before: None) -> None:
    house = make_house(tmp_path)
    house.installed(house.upload(zipped({"scripts/a.py": "x = 1"}), name="con.zip"))
    assert (house.extensions / "con-extension" / "scripts" / "a.py").exists()
