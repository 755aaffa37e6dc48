"""What a change of the accounts took away, told from how they were before and after it.

Told from the whole, so that no way of changing them can forget to tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from webui.core.job import PersonId
from webui.people.account import Accounts, Person, password_credential


def ended_credentials(before: Accounts, after: Accounts) -> Iterator[str]:
    """The ids of those that are no longer good, or good for less than before."""
    for digest, session in before.sessions.items():
        if digest not in after.sessions or _is_lessened(before, after, session.person_id):
            yield session.id
    for digest, key in before.keys.items():
        if digest not in after.keys or _is_lessened(before, after, key.person_id):
            yield key.id
    for id, person in before.people.items():
        now = after.people.get(id)
        if now is None or now.hash != person.hash or _is_lessened(before, after, id):
            yield password_credential(id)


def gone_people(before: Accounts, after: Accounts) -> Iterator[PersonId]:
    """Those who were here and are kept out now, or were removed."""
    for id, person in before.people.items():
        if _is_here(person) and not _is_here(after.people.get(id)):
            yield id


def _is_lessened(before: Accounts, after: Accounts, id: PersonId) -> bool:
    """Whether somebody may do less; or just something else, which is rare enough."""
    was, now = before.people.get(id), after.people.get(id)
    if was is None or now is None:
        return was is not now
    return was.role is not now.role or (_is_here(was) and not _is_here(now))


def _is_here(person: Person | None) -> bool:
    return person is not None and not (person.is_disabled or person.is_removed)
