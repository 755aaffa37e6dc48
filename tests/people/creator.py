"""Adds people to an accounts file until it is killed, and says so of each once it is done."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.people.conftest import PASSWORD, CheapArgon2
from webui.core.job import LOCAL
from webui.core.person import Role
from webui.people.account import Where
from webui.people.passwords import Passwords
from webui.people.people import People


def main(path: str, prefix: str) -> None:
    """Invite and join, again and again."""
    people = People(Path(path), passwords=Passwords(CheapArgon2()))
    for number in range(100_000):
        link = people.invite(Role.ARTIST, 1, 3600, LOCAL)
        joined = people.join(link.token, f"{prefix} {number}", PASSWORD, Where())
        print(joined.person.id, joined.token, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
