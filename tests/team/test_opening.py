"""What a server's settings make of it, and what its terminal shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.core.errors import InvalidRequest
from webui.core.job import LOCAL
from webui.core.person import Role
from webui.gate.doorkeeper import OpenHouse
from webui.people.people import People
from webui.settings import Settings, SettingsStore
from webui.team.opening import Opening, invite
from webui.team.poster import HALF_BLOCKS, Poster

LINK = "/join/abcdef"


class Screen(io.StringIO):
    """A terminal, as far as a poster can tell."""

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool = True) -> None:
        super().__init__()
        self._encoding, self._is_terminal = encoding, is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What it shows letters with."""
        return self._encoding

    def isatty(self) -> bool:
        """Whether somebody sits before it."""
        return self._is_terminal


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    """Accounts with an owner."""
    opened = People(tmp_path / "people.sqlite")
    opened.create_owner("Ada", "four words in a row")
    yield opened
    opened.close()


def made(tmp_path: Path, **values: object) -> Settings:
    return SettingsStore({"data_dir": str(tmp_path), **values}).current


def test_by_default_nobody_else_comes_and_nobody_signs_in(tmp_path: Path, people: People) -> None:
    opening = Opening(made(tmp_path, tls="self", trusted_proxies="127.0.0.1"))
    assert opening.network(people) is None
    assert opening.tls is None
    assert not opening.asks_who
    assert isinstance(opening.surroundings(people).doorkeeper, OpenHouse)
    assert not opening.surroundings(people).proxies.trust("127.0.0.1")


def test_accounts_can_be_asked_for_on_this_machine_alone(tmp_path: Path, people: People) -> None:
    opening = Opening(made(tmp_path, sign_in=True))
    assert opening.network(people) is None
    assert not isinstance(opening.surroundings(people).doorkeeper, OpenHouse)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"listen": "everywhere"}, "listen"),
        ({"allowed_hosts": "*"}, "allowed_hosts"),
        ({"trusted_proxies": "everyone"}, "trusted_proxies"),
        ({"tls_cert": "missing.pem", "tls_key": "missing.pem"}, "tls_cert"),
        ({"tls_cert": "missing.pem"}, "tls_key"),
        ({"tls": "on"}, "tls"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(
    tmp_path: Path, values: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        Opening(made(tmp_path, lan=True, **values))
    assert raised.value.field == field


def test_the_links_name_the_addresses_that_are_listened_to(tmp_path: Path) -> None:
    opening = Opening(made(tmp_path, lan=True, listen="127.0.0.2,fd00::20", tls="self"))
    poster = opening.poster(7861, LINK)
    assert poster.addresses == ["https://127.0.0.2:7861", "https://[fd00::20]:7861"]
    assert opening.tls is not None
    assert poster.fingerprint == opening.tls.certificate.fingerprint
    assert opening.tls.certificate.names >= {"127.0.0.2", "[fd00::20]", "localhost"}


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1,::1"])
def test_a_server_behind_a_proxy_promises_no_address(tmp_path: Path, listen: str) -> None:
    shown = Opening(made(tmp_path, lan=True, listen=listen)).poster(7861, LINK).text(has_code=True)
    assert "through a proxy" in shown
    assert shown.count(LINK) == 1
    assert "http" not in shown


def test_each_start_has_a_link_of_its_own(people: People) -> None:
    first = invite(people)
    second = invite(people)
    (left,) = people.invitations.open()
    assert people.invitations.find(second).id == left.id
    assert first != second
    assert (left.role, left.uses_left) == (Role.ARTIST, 1)


def test_a_terminal_that_was_closed_stops_nothing(tmp_path: Path, people: People) -> None:
    screen = Screen()
    network = Opening(made(tmp_path, lan=True, listen="127.0.0.2")).network(people, screen)
    assert network is not None
    network.told(7860)
    assert "http://127.0.0.2:7860/join/" in screen.getvalue()
    screen.close()
    network.told(7860)


def test_links_that_the_owner_made_stay(people: People) -> None:
    kept = people.invite(Role.VIEWER, uses=5, expires_s=3600, by=LOCAL)
    invite(people)
    invite(people)
    assert people.invitations.find(kept.token).uses_left == 5


POSTER = Poster(addresses=["http://192.168.1.20:7860", "http://studio.local:7860"], join=LINK)


def test_a_terminal_shows_the_best_address_first_and_a_code_to_scan() -> None:
    screen = Screen()
    POSTER.show(screen)
    shown = screen.getvalue()
    assert shown.index("http://192.168.1.20:7860/join/abcdef") < shown.index("studio.local:7860")
    assert set(HALF_BLOCKS) & set(shown)
    assert shown.count(LINK) == 1


@pytest.mark.parametrize(
    "screen",
    [Screen(is_terminal=False), Screen("cp1252"), Screen("ascii")],
    ids=["no terminal", "cp1252", "ascii"],
)
def test_no_code_where_it_could_not_be_seen(screen: Screen) -> None:
    POSTER.show(screen)
    assert LINK in screen.getvalue()
    assert not set(HALF_BLOCKS) & set(screen.getvalue())
    screen.getvalue().encode(screen.encoding)


def test_a_machine_without_a_network_says_so() -> None:
    assert "in no network" in Poster(addresses=[]).text(has_code=True)


def test_only_a_certificate_that_browsers_warn_of_is_explained() -> None:
    warned = Poster(addresses=POSTER.addresses, fingerprint="AB:CD").text(has_code=False)
    assert "AB:CD" in warned
    assert "certificate" not in POSTER.text(has_code=False)
