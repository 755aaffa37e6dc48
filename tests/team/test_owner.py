"""Making the owner from the command line, which is also the way back in."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.core.errors import InvalidRequest, NotPermitted
from webui.core.job import LOCAL
from webui.core.person import Role
from webui.launcher.cli import parse
from webui.people.account import Where
from webui.people.people import People
from webui.team.owner import make_owner

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD, OTHER = "four words in a row", "a horse of another colour"


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    """The accounts of a new studio."""
    opened = People(tmp_path / "people.sqlite")
    yield opened
    opened.close()


def test_the_first_owner_has_what_was_made_before_there_were_accounts(people: People) -> None:
    make_owner(people, "Ada", PASSWORD)
    owner = people.roster.find("ada")
    assert owner is not None
    assert (owner.id, owner.role) == (LOCAL, Role.OWNER)


def test_an_owner_gets_a_new_password_and_old_sessions_end(people: People) -> None:
    make_owner(people, "Ada", PASSWORD)
    owner = people.roster.here(LOCAL)
    session = people.sessions.begin(owner, Where(address="", browser=""))
    assert "new password" in make_owner(people, "ADA", OTHER)
    assert people.sessions.find(session.token) is None
    assert people.roster.here(LOCAL).hash != owner.hash


def test_nobody_becomes_owner_beside_the_owners(people: People) -> None:
    make_owner(people, "Ada", PASSWORD)
    with pytest.raises(InvalidRequest, match=r"“Bo” is not an owner.*Ada can make"):
        make_owner(people, "Bo", PASSWORD)
    people.add("Cy", Role.ARTIST, by=LOCAL)
    with pytest.raises(InvalidRequest, match="“Cy” is not an owner"):
        make_owner(people, "Cy", PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "password123"])
def test_a_weak_password_makes_nobody(people: People, password: str) -> None:
    with pytest.raises((InvalidRequest, NotPermitted)):
        make_owner(people, "Ada", password)
    assert not people.has_owner()


def command(data: Path, *more: str) -> list[str]:
    return [sys.executable, "app.py", "owner", "Ada", "--data-dir", str(data), *more]


def run(data: Path, *more: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(data, *more), cwd=ROOT, input=typed, capture_output=True, text=True, timeout=120
    )


def has_owner(data: Path) -> bool:
    people = People(data / "data" / "people.sqlite")
    try:
        return people.has_owner()
    finally:
        people.close()


def test_the_password_is_read_from_what_is_piped_in_or_from_a_file(tmp_path: Path) -> None:
    piped = run(tmp_path / "one", typed=f"{PASSWORD}\n")
    assert (piped.returncode, has_owner(tmp_path / "one")) == (0, True)
    (tmp_path / "secret.txt").write_text(f"{PASSWORD}\n")
    read = run(tmp_path / "two", "--password-file", str(tmp_path / "secret.txt"))
    assert (read.returncode, has_owner(tmp_path / "two")) == (0, True)
    for done in (piped, read):
        assert PASSWORD not in done.stdout + done.stderr


def test_what_is_wrong_is_told_in_words(tmp_path: Path) -> None:
    missing = run(tmp_path, "--password-file", str(tmp_path / "missing.txt"))
    assert missing.returncode == 2
    assert "can't be read from" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert not has_owner(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
@pytest.mark.parametrize(("again", "code"), [(PASSWORD, 0), (OTHER, 2)])
def test_in_a_terminal_it_is_asked_for_twice_and_not_shown(
    tmp_path: Path, again: str, code: int
) -> None:
    screen, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            command(tmp_path), cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True,
        )  # fmt: skip
        shown = read_until(screen, b"not shown): ")
        os.write(screen, f"{PASSWORD}\n".encode())
        shown += read_until(screen, b"again: ")
        os.write(screen, f"{again}\n".encode())
        assert process.wait(60) == code
        assert PASSWORD.encode() not in shown
    finally:
        os.close(screen)
        os.close(terminal)
    assert has_owner(tmp_path) is (code == 0)


def read_until(screen: int, end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        shown += os.read(screen, 4096)
    return shown


def test_the_launcher_passes_the_command_on() -> None:
    request = parse(["owner", "Ada", "--password-file", "x", "--skip-install"], {})
    assert (request.command, request.skips_install) == ("owner", True)
    assert (*request.words, *request.rest) == ("owner", "Ada", "--password-file", "x")
    assert parse(["--lan"], {}).words == ()
