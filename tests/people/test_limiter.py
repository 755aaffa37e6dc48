"""How many passwords may be tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.people.conftest import Clock
from webui.people.faults import TooManyTries
from webui.people.limiter import Limiter

HOUR_S = 3600


def tries_let_through(limiter: Limiter, clock: Clock, every_s: float, for_s: float) -> int:
    """How many of the tries for one name from one address are let through."""
    end, count = clock.seconds + for_s, 0
    while clock.seconds < end:
        try:
            limiter.admit("10.0.0.1", "ada")
            count += 1
        except TooManyTries:
            pass
        clock.seconds += every_s
    return count


def test_five_tries_in_a_minute(clock: Clock) -> None:
    assert tries_let_through(Limiter(clock), clock, 0.5, 59) == 5


@pytest.mark.parametrize("every_s", [1, 7, 30])
def test_fourteen_tries_in_an_hour(clock: Clock, every_s: float) -> None:
    assert tries_let_through(Limiter(clock), clock, every_s, HOUR_S - 1) == 14


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 900.0), min_size=1, max_size=120))
def test_no_hour_sees_more_than_fourteen(pauses: list[float]) -> None:
    clock = Clock()
    limiter, times = Limiter(clock), []
    for pause in pauses:
        clock.seconds += pause
        try:
            limiter.admit("10.0.0.1", "ada")
            times.append(clock.seconds)
        except TooManyTries:
            continue
    assert all(sum(at <= other < at + HOUR_S for other in times) <= 14 for at in times)
    assert all(sum(at <= other < at + 60 for other in times) <= 5 for at in times)


def test_waiting_as_long_as_told_is_enough(clock: Clock) -> None:
    limiter = Limiter(clock)
    tries_let_through(limiter, clock, 1, 20)
    with pytest.raises(TooManyTries) as refused:
        limiter.admit("10.0.0.1", "ada")
    clock.seconds += refused.value.wait_s
    assert limiter.admit("10.0.0.1", "ada")


def test_another_name_and_another_address_have_tries_of_their_own(clock: Clock) -> None:
    limiter = Limiter(clock)
    tries_let_through(limiter, clock, 1, 20)
    assert limiter.admit("10.0.0.1", "bob")
    assert limiter.admit("10.0.0.2", "ada")


def test_right_passwords_are_not_counted(clock: Clock) -> None:
    limiter = Limiter(clock)
    for _ in range(50):
        limiter.forgive(limiter.admit("10.0.0.1", "ada"))
    assert len(limiter) == 0
    assert tries_let_through(limiter, clock, 0.5, 30) == 5


def test_one_address_can_not_try_a_password_with_every_name(clock: Clock) -> None:
    limiter, count = Limiter(clock), 0
    for number in range(2000):
        clock.seconds += 1
        try:
            limiter.admit("10.0.0.1", f"name {number}")
            count += 1
        except TooManyTries:
            pass
    assert count == 100


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_addresses_of_one_customer_are_one(
    clock: Clock, one: str, other: str, is_same: bool
) -> None:
    limiter = Limiter(clock)
    for _ in range(5):
        limiter.admit(one, "ada")
    try:
        limiter.admit(other, "ada")
        assert not is_same
    except TooManyTries:
        assert is_same


def test_memory_stays_bounded(clock: Clock) -> None:
    limiter = Limiter(clock, most_windows=100)
    for number in range(1000):
        clock.seconds += 1
        limiter.admit(f"10.0.{number // 250}.{number % 250}", "ada")
    assert len(limiter) == 100


def test_a_flood_from_many_addresses_leaves_room_for_others_and_for_those_known(
    clock: Clock,
) -> None:
    limiter = Limiter(clock)
    limiter.welcome(limiter.admit("10.0.0.1", "ada"))
    for number in range(40):
        limiter.admit(f"10.0.1.{number}", "ada")
    with pytest.raises(TooManyTries) as refused:
        limiter.admit("10.0.0.2", "bob")
    assert limiter.admit("10.0.0.1", "ada")
    assert refused.value.wait_s <= 20
    clock.seconds += refused.value.wait_s
    assert limiter.admit("10.0.0.2", "bob")


def test_any_number_of_people_come_in_at_the_same_time(clock: Clock) -> None:
    limiter = Limiter(clock)
    for number in range(200):
        limiter.welcome(limiter.admit(f"10.0.1.{number}", "ada"))
    assert limiter.admit("10.0.0.2", "bob")


def test_an_address_without_tries_is_known_before_a_name_is(clock: Clock) -> None:
    limiter = Limiter(clock)
    for number in range(30):
        limiter.check_address("10.0.0.1")
        limiter.admit("10.0.0.1", f"name {number}")
    with pytest.raises(TooManyTries) as refused:
        limiter.check_address("10.0.0.1")
    limiter.check_address("10.0.0.2")
    clock.seconds += refused.value.wait_s
    limiter.check_address("10.0.0.1")


def test_one_name_s_tries_are_not_all_tries(clock: Clock) -> None:
    limiter = Limiter(clock)
    tries_let_through(limiter, clock, 1, 20)
    limiter.check_address("10.0.0.1")
