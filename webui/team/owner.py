"""The command that makes the owner of a studio, or gives one a new password.

Whoever can run it can read everything in the data folder anyway, so it asks for nothing else.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from webui.core.errors import GessoError, InvalidRequest
from webui.core.person import Role
from webui.people.people import People
from webui.settings import SettingsStore, from_flags

log = logging.getLogger("gesso")

COMMAND: Final = "owner"
HELP: Final = (
    "Makes NAME the owner of this studio, or gives an owner a new password. The password is asked "
    "for, or read from a file, or from what is piped in."
)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do it; the exit code."""
    parser = argparse.ArgumentParser(prog=f"launch.py {COMMAND}", description=HELP)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--password-file", type=Path, metavar="FILE")
    given, flags = parser.parse_known_args(arguments)
    try:
        data = SettingsStore(from_flags(flags, environment)).current.data
        data.mkdir(parents=True, exist_ok=True)
        people = People(data / "people.sqlite")
        try:
            log.info(make_owner(people, given.name, _password(given.password_file)))
        finally:
            people.close()
    except GessoError as error:
        log.error("%s", error)
        return 2
    return 0


def make_owner(people: People, name: str, password: str) -> str:
    """Make the first owner, or give an owner a new password; what was done, in words. Raises
    InvalidRequest and NotPermitted."""
    person = people.roster.find(name)
    if person is not None and person.role is Role.OWNER:
        people.set_password(person.id, password, by=person.id)
        if person.is_disabled:
            people.roster.change(person.id, by=person.id, is_disabled=False)
        return f"{person.name} has a new password. All their browsers have to sign in again."
    if people.has_owner():
        owners = [each.name for each in people.roster.all() if each.role is Role.OWNER]
        raise InvalidRequest(
            "name",
            f"“{name}” is not an owner of this studio. {' and '.join(owners)} can make others one "
            f"in the tab Team; to give {owners[0]} a new password, use that name here.",
        )
    people.create_owner(name, password)
    return "Start the studio with --lan to let others in."


def _password(file: Path | None) -> str:
    """From the file, from what is piped in, or typed twice. Raises InvalidRequest."""
    if file is not None:
        try:
            return file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(
                "password_file", f"The password can't be read from {file} ({error})."
            ) from error
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password (10 characters or more; it is not shown): ")
    if getpass.getpass("The same again: ") != password:
        raise InvalidRequest("password", "The two were not the same. Run the command again.")
    return password
