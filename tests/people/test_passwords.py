"""Which passwords are taken, what a try costs, and that the line before the desk is short."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import extract_parameters

from tests.people.conftest import OTHER, PASSWORD, CheapArgon2
from webui.core.errors import InvalidRequest
from webui.people.account import Where
from webui.people.faults import TooManyTries, WrongPassword
from webui.people.passwords import NOBODYS, Desk, Passwords, check_password
from webui.people.people import People


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "aaaaaaaaaaaa",
        "Password123",
        "1234567890",
        "Ada Lovelace",
        "adalovelace1815",
        "x" * 201,
    ],
)
def test_passwords_that_are_guessed_soon_are_refused(password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_password(password, "Ada Lovelace")
    assert refused.value.field == "password"
    assert password not in refused.value.message


@pytest.mark.parametrize(
    "password", [PASSWORD, OTHER, "sdkj38!dkA0", "пароль из слов", "密碼密碼一二三四五六"]
)
def test_other_passwords_are_taken(password: str) -> None:
    check_password(password, "Ada Lovelace")


def test_a_real_hash_costs_what_was_decided() -> None:
    parameters = extract_parameters(Passwords().hash(PASSWORD))
    assert parameters.type.name == "ID"
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert extract_parameters(NOBODYS) == parameters


def test_the_same_password_typed_on_another_system_is_right() -> None:
    passwords = Passwords(CheapArgon2())
    assert passwords.is_right("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(
    people: People, argon2: CheapArgon2
) -> None:
    people.create_owner("Ada", PASSWORD)
    guest = people.join(_guest_link(people), "Guest", "", Where())
    costs = []
    for name in ("Ada", "Nobody", guest.person.name, "\ud800", "x" * 5000):
        before = argon2.verified
        with pytest.raises(WrongPassword):
            asyncio.run(people.check(name, "wrong", "10.0.0.1"))
        costs.append(argon2.verified - before)
    assert costs == [1] * 5


def test_who_is_refused_costs_no_hash(people: People, argon2: CheapArgon2) -> None:
    people.create_owner("Ada", PASSWORD)
    outcomes = [asyncio.run(_try(people)) for _ in range(50)]
    assert outcomes == ["WrongPassword"] * 5 + ["TooManyTries"] * 45
    assert argon2.verified == 5


def test_a_flood_is_turned_away_before_the_line_grows() -> None:
    async def flood() -> tuple[int, int]:
        desk, is_open = Desk(at_once=1, most_waiting=2), threading.Event()
        waiting = [asyncio.create_task(desk.run(is_open.wait)) for _ in range(10)]
        await asyncio.sleep(0)
        refused = sum(task.done() for task in waiting)
        is_open.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        desk.close()
        return refused, sum(isinstance(outcome, TooManyTries) for outcome in done)

    assert asyncio.run(flood()) == (7, 7)


async def _try(people: People) -> str:
    try:
        await people.check("ada", "wrong", "10.0.0.1")
    except (WrongPassword, TooManyTries) as error:
        return type(error).__name__
    return "in"


def _guest_link(people: People) -> str:
    from webui.core.job import LOCAL
    from webui.people.account import InvitationKind
    from webui.people.invitations import Offer

    return people.invitations.make(Offer(kind=InvitationKind.GUEST, expires_s=60), by=LOCAL).token
