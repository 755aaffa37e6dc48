"""Accounts: who there is, how they come in, and that what is revoked is over at once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.people.conftest import OTHER, PASSWORD, Clock, open_people
from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.job import LOCAL, PersonId
from webui.core.person import Role
from webui.people.account import MOST_SESSIONS, SESSION_S, InvitationKind, Person, Where
from webui.people.book import Book
from webui.people.diary import MOST_FAILURES, Event, EventKind, note, read_lines
from webui.people.faults import WrongPassword
from webui.people.invitations import Offer
from webui.people.people import People

DESK = Where(address="10.0.0.1", browser="Firefox on Linux")
DAY_S = 24 * 3600.0


@pytest.fixture
def owner(people: People) -> Person:
    """The owner of `people`."""
    return people.create_owner("Ada", PASSWORD)


def invited(people: People, name: str, role: Role = Role.ARTIST) -> Person:
    """Somebody who took up an invitation."""
    token = people.invite(role, 1, DAY_S, LOCAL).token
    return people.join(token, name, PASSWORD, DESK).person


def comes_in(people: People, name: str, password: str = PASSWORD) -> bool:
    try:
        return asyncio.run(people.check(name, password, "10.0.0.9")) is not None
    except WrongPassword:
        return False


def test_the_first_owner_owns_what_was_there_before(people: People) -> None:
    assert not people.has_owner()
    assert people.create_owner("Ada", PASSWORD).id == LOCAL
    assert people.has_owner()
    with pytest.raises(NotPermitted):
        people.create_owner("Eve", PASSWORD)


def test_everything_is_there_after_a_restart(people: People, tmp_path: Path, clock: Clock) -> None:
    owner = people.create_owner("Ada", PASSWORD)
    token = people.sessions.begin(owner, DESK).token
    key = people.keys.make(owner.id, "laptop", Role.ARTIST)
    link = people.invite(Role.VIEWER, 2, DAY_S, owner.id)
    people.close()
    again = open_people(tmp_path / "people.sqlite", clock)
    found = again.sessions.find(token)
    assert found is not None
    assert found[1] == owner
    assert again.keys.find(key.secret) is not None
    assert again.invitations.find(link.token).role is Role.VIEWER
    assert comes_in(again, "ADA ")
    again.close()


def test_no_secret_is_in_the_file(people: People, tmp_path: Path, owner: Person) -> None:
    secrets = [
        people.sessions.begin(owner, DESK).token,
        people.keys.make(owner.id, "k", Role.OWNER).secret,
        people.invite(Role.VIEWER, 1, 60, owner.id).token,
        PASSWORD,
    ]
    people.close()
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [secret for secret in secrets if secret.encode() in data] == []


def test_a_name_is_taken_however_it_is_written(people: People, owner: Person) -> None:
    with pytest.raises(InvalidRequest, match="already"):
        people.add("ａＤａ", Role.ARTIST, by=owner.id)


def test_a_session_lasts_a_week_from_its_last_use(
    people: People, clock: Clock, owner: Person
) -> None:
    token = people.sessions.begin(owner, DESK).token
    for _ in range(5):
        clock.seconds += SESSION_S - 1
        assert people.sessions.find(token) is not None
    clock.seconds += SESSION_S
    assert people.sessions.find(token) is None
    people.sweep()
    assert people.sessions.of(owner.id) == []


def test_the_session_unused_for_longest_makes_room(
    people: People, clock: Clock, owner: Person
) -> None:
    gone: list[str] = []
    people.on_revoked(gone.append)
    tokens = []
    for _ in range(MOST_SESSIONS):
        clock.seconds += 1
        tokens.append(people.sessions.begin(owner, DESK).token)
    clock.seconds += 1
    assert people.sessions.find(tokens[0]) is not None  # used just now
    people.sessions.begin(owner, DESK)
    alive = [people.sessions.find(token) is not None for token in tokens]
    assert alive == [True, False] + [True] * (MOST_SESSIONS - 2)
    assert len(gone) == 1


def test_a_new_password_ends_the_other_sessions(people: People, owner: Person) -> None:
    mine, other = (people.sessions.begin(owner, DESK) for _ in range(2))
    gone: list[str] = []
    people.on_revoked(gone.append)
    people.set_password(owner.id, OTHER, by=owner.id, keep=mine.session.id)
    assert people.sessions.find(mine.token) is not None
    assert people.sessions.find(other.token) is None
    assert other.session.id in gone
    assert mine.session.id not in gone
    assert (comes_in(people, "Ada"), comes_in(people, "Ada", OTHER)) == (False, True)


def test_who_is_kept_out_is_out_at_once(people: People, owner: Person) -> None:
    bob = invited(people, "Bob")
    token = people.sessions.begin(bob, DESK).token
    key = people.keys.make(bob.id, "k", Role.ARTIST)
    gone: list[str] = []
    people.on_revoked(gone.append)
    people.roster.change(bob.id, by=owner.id, is_disabled=True)
    assert people.sessions.find(token) is None
    assert people.keys.find(key.secret) is None
    assert not comes_in(people, "Bob")
    assert key.key.id in gone
    people.roster.change(bob.id, by=owner.id, is_disabled=False)
    assert people.sessions.find(token) is None
    assert people.keys.find(key.secret) is not None
    assert comes_in(people, "Bob")


def test_a_role_counts_from_the_next_look_on(people: People, owner: Person) -> None:
    bob = invited(people, "Bob")
    signed_in = people.sessions.begin(bob, DESK)
    gone: list[str] = []
    people.on_revoked(gone.append)
    people.roster.change(bob.id, by=owner.id, role=Role.VIEWER)
    found = people.sessions.find(signed_in.token)
    assert found is not None
    assert found[1].role is Role.VIEWER
    assert signed_in.session.id in gone  # streams that were opened as an artist


def test_a_removed_person_leaves_only_their_id_behind(people: People, owner: Person) -> None:
    bob = invited(people, "Bob", Role.OWNER)
    signed_in = people.sessions.begin(bob, DESK)
    key = people.keys.make(bob.id, "k", Role.ARTIST)
    link = people.invite(Role.OWNER, 5, DAY_S, bob.id)
    people.roster.remove(bob.id, by=owner.id)
    assert people.sessions.find(signed_in.token) is None
    assert people.keys.find(key.secret) is None
    with pytest.raises(NotFound):
        people.invitations.find(link.token)
    assert [person.name for person in people.roster.all()] == ["Ada"]
    assert [person.id for person in people.roster.all(removed=True)] == [bob.id]
    assert invited(people, "Bob").id != bob.id


@pytest.mark.parametrize("how", ["remove", "demote", "disable"])
def test_the_last_owner_stays(people: People, owner: Person, how: str) -> None:
    people.add("Not yet", Role.OWNER, by=owner.id)  # has no password: can't run the studio
    with pytest.raises(NotPermitted, match="only owner"):
        _take_away(people, owner.id, how)
    invited(people, "Eve", Role.OWNER)
    _take_away(people, owner.id, how)
    assert people.has_owner()


def _take_away(people: People, id: PersonId, how: str) -> None:
    if how == "remove":
        people.roster.remove(id, by=id)
    elif how == "demote":
        people.roster.change(id, by=id, role=Role.ARTIST)
    else:
        people.roster.change(id, by=id, is_disabled=True)


def test_an_invitation_is_good_for_its_uses_and_its_time(people: People, clock: Clock) -> None:
    link = people.invite(Role.ARTIST, 2, DAY_S, LOCAL)
    for name in ("Bob", "Eve"):
        people.join(link.token, name, PASSWORD, DESK)
    with pytest.raises(NotFound, match="used up"):
        people.join(link.token, "Mallory", PASSWORD, DESK)
    late = people.invite(Role.ARTIST, 2, DAY_S, LOCAL)
    clock.seconds += DAY_S
    with pytest.raises(NotFound, match="expired"):
        people.join(late.token, "Mallory", PASSWORD, DESK)
    withdrawn = people.invite(Role.ARTIST, 2, DAY_S, LOCAL)
    people.invitations.revoke(withdrawn.id, by=LOCAL)
    with pytest.raises(NotFound, match="withdrawn"):
        people.join(withdrawn.token, "Mallory", PASSWORD, DESK)
    assert people.roster.find("Mallory") is None


def test_a_refused_join_does_not_use_up_the_link(people: People, owner: Person) -> None:
    link = people.invite(Role.ARTIST, 1, DAY_S, owner.id)
    for name, password in (("ada", PASSWORD), ("Bob", "short"), ("\u202eBob", PASSWORD)):
        with pytest.raises(InvalidRequest):
            people.join(link.token, name, password, DESK)
    assert people.join(link.token, "Bob", PASSWORD, DESK).person.role is Role.ARTIST


def test_two_who_use_the_last_place_at_once_are_one(people: People) -> None:
    async def both() -> list[object]:
        link = people.invite(Role.ARTIST, 1, DAY_S, LOCAL)
        joins = (
            asyncio.to_thread(people.join, link.token, f"Bob {number}", PASSWORD, DESK)
            for number in range(8)
        )
        return list(await asyncio.gather(*joins, return_exceptions=True))

    outcomes = asyncio.run(both())
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert all(
        isinstance(outcome, NotFound) for outcome in outcomes if isinstance(outcome, Exception)
    )
    assert len(people.roster.all()) == 1


def test_a_guest_needs_no_password_and_is_gone_in_time(people: People, clock: Clock) -> None:
    link = people.invitations.make(Offer(kind=InvitationKind.GUEST, expires_s=DAY_S), by=LOCAL)
    guest = people.join(link.token, "Zoe", "", DESK)
    key = people.keys.make(guest.person.id, "k", Role.ARTIST)
    assert people.sessions.find(guest.token) is not None
    assert not comes_in(people, "Zoe", "")
    clock.seconds += DAY_S
    assert people.sessions.find(guest.token) is None
    assert people.keys.find(key.secret) is None
    people.sweep()
    assert people.roster.find("Zoe") is None


def test_a_guest_is_never_an_owner(people: People) -> None:
    offer = Offer(kind=InvitationKind.GUEST, role=Role.OWNER, expires_s=60)
    with pytest.raises(InvalidRequest):
        people.invitations.make(offer, by=LOCAL)
    link = people.invitations.make(Offer(kind=InvitationKind.GUEST, expires_s=60), by=LOCAL)
    guest = people.join(link.token, "Zoe", "", DESK).person
    with pytest.raises(InvalidRequest):
        people.roster.change(guest.id, by=LOCAL, role=Role.OWNER)
    with pytest.raises(InvalidRequest):
        people.reset(guest.id, by=LOCAL)


def test_a_reset_link_sets_the_password_once_and_signs_out(people: People, owner: Person) -> None:
    bob = invited(people, "Bob")
    old = people.sessions.begin(bob, DESK).token
    links = [people.reset(bob.id, by=owner.id) for _ in range(2)]
    again = people.join(links[0].token, "", OTHER, DESK)
    assert again.person.id == bob.id
    assert people.sessions.find(again.token) is not None
    assert people.sessions.find(old) is None
    assert (comes_in(people, "Bob"), comes_in(people, "Bob", OTHER)) == (False, True)
    for link in links:
        with pytest.raises(NotFound):
            people.join(link.token, "", PASSWORD, DESK)


def test_a_key_is_never_more_than_its_person(people: People, owner: Person) -> None:
    bob = invited(people, "Bob")
    with pytest.raises(InvalidRequest):
        people.keys.make(bob.id, "k", Role.OWNER)


def test_a_key_ends_in_time_and_when_revoked(people: People, clock: Clock, owner: Person) -> None:
    short, long = (people.keys.make(owner.id, "k", Role.OWNER, s) for s in (60, None))
    clock.seconds += 60
    assert people.keys.find(short.secret) is None
    assert people.keys.find(long.secret) is not None
    people.keys.revoke(long.key.id, by=owner.id)
    assert people.keys.find(long.secret) is None
    people.sweep()
    assert people.keys.all() == []


def test_when_somebody_was_here_is_kept_over_a_restart(
    people: People, tmp_path: Path, clock: Clock, owner: Person
) -> None:
    token = people.sessions.begin(owner, DESK).token
    clock.seconds += 5000
    people.sessions.find(token)
    people.close()
    again = open_people(tmp_path / "people.sqlite", clock)
    assert again.seen_at(owner.id) == clock.seconds
    again.close()


def test_what_another_program_changed_is_seen(
    people: People, tmp_path: Path, clock: Clock, owner: Person
) -> None:
    token = people.sessions.begin(owner, DESK).token
    command_line = open_people(tmp_path / "people.sqlite", clock)
    command_line.set_password(owner.id, OTHER, by=owner.id)
    command_line.close()
    gone: list[str] = []
    people.on_revoked(gone.append)
    people.follow()
    assert people.sessions.find(token) is None
    assert len(gone) == 2  # the session, and the password as a way in


def test_the_diary_tells_what_happened(people: People, owner: Person) -> None:
    assert not comes_in(people, "Ada", "wrong")
    invited(people, "Bob")
    kinds = [line.event.kind for line in people.diary()]
    assert kinds == [
        EventKind.SIGNED_IN,
        EventKind.PERSON_ADDED,
        EventKind.INVITED,
        EventKind.SIGN_IN_FAILED,
        EventKind.PERSON_ADDED,
    ]


def test_a_flood_of_failures_does_not_wash_out_the_rest(tmp_path: Path) -> None:
    book = Book(tmp_path / "people.sqlite")
    with book.changing() as rows:
        note(rows, 0, Event(kind=EventKind.PERSON_ADDED, words="first of all"))
        for number in range(MOST_FAILURES + 100):
            note(rows, number, Event(kind=EventKind.SIGN_IN_FAILED))
    lines = read_lines(book, limit=2 * MOST_FAILURES)
    assert len(lines) == MOST_FAILURES + 1
    assert lines[-1].event.words == "first of all"
    book.close()


def test_a_damaged_file_is_set_aside(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "people.sqlite"
    path.write_bytes(b"this is no database" * 100)
    people = open_people(path, clock)
    assert not people.has_owner()
    people.close()
    assert any("damaged" in file.name for file in tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps others out of a person's folders itself")
def test_only_the_servers_own_user_may_read_the_accounts(
    people: People, tmp_path: Path, owner: Person
) -> None:
    files = [path for path in tmp_path.rglob("people.sqlite*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
