"""How a studio is reached, made of its settings: by this machine alone, or by its network."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TextIO

from webui.api.doorkeeper import PeopleDoorkeeper
from webui.core.errors import GessoError
from webui.core.job import LOCAL
from webui.core.person import Role
from webui.gate.addresses import among, as_host, own_addresses, own_hosts, own_names
from webui.gate.certificate import Certificate, given_certificate, own_certificate
from webui.gate.gate import Surroundings
from webui.gate.names import Names, read_allowed
from webui.gate.proxies import Proxies
from webui.gate.server import Network
from webui.gate.sockets import read_addresses
from webui.gate.tls import Tls
from webui.people.people import People
from webui.settings import Settings
from webui.team.poster import Poster

log = logging.getLogger(__name__)

DAY_S: Final = 24 * 3600.0
NOTE: Final = "Shown in the terminal at the start"
JOIN: Final = "/join/"
LOOPBACK: Final = ("127.0.0.1", "::1")


class Opening:
    """Who may come to a server, and how. Made before the server, so that what is wrong with the
    settings is told at once."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidRequest, which names the setting."""
        self._settings: Final = settings
        self.is_lan: Final = settings.lan
        self.addresses: Final = read_addresses(settings.listen) if settings.lan else ()
        self._names: Final = self._read_names()
        self._proxies: Final = Proxies(settings.trusted_proxies if settings.lan else "")
        self.tls: Final = self._make_tls()

    @property
    def asks_who(self) -> bool:
        """Whether people sign in."""
        return self.is_lan or self._settings.sign_in

    def surroundings(self, people: People) -> Surroundings:
        """Where the gate stands."""
        if not self.asks_who:
            return Surroundings()
        return Surroundings(
            names=self._names,
            doorkeeper=PeopleDoorkeeper(people, is_tls=self.tls is not None),
            proxies=self._proxies,
            is_strict=self.tls is not None and not self.tls.certificate.is_self_signed,
        )

    def network(self, people: People, screen: TextIO = sys.stdout) -> Network | None:
        """How the server is opened to others; None when it is not."""
        if not self.is_lan:
            return None

        def told(port: int) -> None:
            try:
                self.poster(port, f"{JOIN}{invite(people)}").show(screen)
            except (GessoError, OSError, ValueError) as error:
                # A terminal that was closed, or too many invitations: others can come all the same.
                log.warning("The link for others can't be shown (%s). Invite them in Team.", error)

        return Network(has_owner=people.has_owner, told=told, addresses=self.addresses)

    def poster(self, port: int, join: str) -> Poster:
        """What the terminal shows about a server that is open."""
        scheme = "https" if self.tls else "http"
        outer = [each for each in self.addresses if each not in LOOPBACK]
        hosts = among(outer) if self.addresses else _others_find()
        certificate = self.tls.certificate if self.tls else None
        is_warned_of = certificate is not None and certificate.is_self_signed
        return Poster(
            addresses=[f"{scheme}://{host}:{port}" for host in hosts],
            join=join,
            is_behind_proxy=bool(self.addresses) and not outer,
            fingerprint=certificate.fingerprint if certificate and is_warned_of else "",
        )

    def _read_names(self) -> Names:
        own: Callable[[], Sequence[str]] = partial(among, self.addresses)
        if not self.is_lan:
            return Names()
        return Names(
            own if self.addresses else own_hosts, read_allowed(self._settings.allowed_hosts)
        )

    def _make_tls(self) -> Tls | None:
        now = self._settings
        if not now.lan:
            return None
        read: Callable[[], Certificate]
        if now.tls_cert or now.tls_key:
            read = partial(given_certificate, now.tls_cert, now.tls_key)
        elif now.tls == "self":
            folder, names = now.data / "tls", self._names

            def read() -> Certificate:
                return own_certificate(folder, names.without_ports())
        else:
            return None
        return Tls(read)


def invite(people: People) -> str:
    """The token of a link that lets one person in for a day. That of the last start is no longer
    good."""
    for old in people.invitations.open():
        if old.note == NOTE:
            people.invitations.revoke(old.id, by=LOCAL)
    return people.invite(Role.ARTIST, uses=1, expires_s=DAY_S, by=LOCAL, note=NOTE).token


def _others_find() -> list[str]:
    """Where others find this machine: its addresses, and its name as Bonjour announces it."""
    local = [name for name in own_names() if name.endswith(".local")]
    return [*map(as_host, own_addresses()), *local]
