"""How many passwords may be tried, counted before one is hashed: hashing is what costs.

Sliding windows over the tries of one address, of one name from one address, and of all addresses
together from which nobody ever came in: a flood from many of them must not hash all the time. A try
that turns out right is taken back. What is refused isn't counted, so that memory stays bounded and
a person who waits gets in. Who knows one name's password can't try another's with it: names have
windows of their own.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from webui.people.faults import TooManyTries

IPV6_PREFIX: Final = 64
"""One customer has at least so many bits to choose addresses from."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most so many tries within so many seconds."""

    tries: int
    seconds: float


PER_NAME: Final = (Limit(tries=5, seconds=60), Limit(tries=14, seconds=3600))
PER_ADDRESS: Final = (Limit(tries=30, seconds=60), Limit(tries=100, seconds=3600))
"""A whole office may come through one address."""
STRANGERS: Final = (Limit(tries=40, seconds=20),)
"""Two hashes a second take a twentieth of one core. Whoever came in before from the same address
is not among them."""
MOST_KNOWN: Final = 2_000
"""Addresses from which somebody came in."""
MOST_WINDOWS: Final = 20_000
"""About 4 MB when all are full of tries."""

Key = tuple[str, ...]
Windows = tuple[tuple[Key, tuple[Limit, ...]], ...]
_ALL: Final = ("", "", "")
"""The key of all strangers' window."""


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try that was let through."""

    keys: tuple[Key, ...]
    at: float


class Limiter:
    """The tries of the last hour. Usable from any thread."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, most_windows: int = MOST_WINDOWS
    ) -> None:
        """`now` gives seconds that only grow."""
        self._now: Final = now
        self._most: Final = most_windows
        self._lock: Final = threading.Lock()
        self._tries: Final[OrderedDict[Key, list[float]]] = OrderedDict()
        self._known: Final[OrderedDict[str, None]] = OrderedDict()

    def __len__(self) -> int:
        """How many windows are remembered."""
        return len(self._tries)

    def check(self, address: str, name: str) -> None:
        """Raises TooManyTries if a try would not be let through now; counts nothing."""
        with self._lock:
            self._check(self._windows(address, name), self._now())

    def check_address(self, address: str) -> None:
        """Raises TooManyTries if no try from there would be let through now, whatever the name;
        counts nothing."""
        with self._lock:
            self._check(self._windows_of_all(network_of(address)), self._now())

    def admit(self, address: str, name: str) -> Try:
        """Count a try for a folded name. Raises TooManyTries and counts nothing then."""
        with self._lock:
            now, windows = self._now(), self._windows(address, name)
            self._check(windows, now)
            keys = tuple(key for key, _ in windows)
            for key in keys:
                self._tries.setdefault(key, []).append(now)
                self._tries.move_to_end(key)
            while len(self._tries) > self._most:
                self._tries.popitem(last=False)
        return Try(keys=keys, at=now)

    def welcome(self, admitted: Try) -> None:
        """The password was right: the try doesn't count, and its address is no stranger's."""
        self.forgive(admitted)
        with self._lock:
            place = admitted.keys[0][0]
            self._known[place] = None
            self._known.move_to_end(place)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def forgive(self, admitted: Try) -> None:
        """The try doesn't count."""
        with self._lock:
            for key in admitted.keys:
                times = self._tries.get(key, [])
                if admitted.at in times:
                    times.remove(admitted.at)
                if not times:
                    self._tries.pop(key, None)

    def _windows(self, address: str, name: str) -> Windows:
        """Those that a try falls into."""
        place = network_of(address)
        return (*self._windows_of_all(place), ((place, name), PER_NAME))

    def _windows_of_all(self, place: str) -> Windows:
        """Those that any try from one place falls into."""
        own: Windows = (((place,), PER_ADDRESS),)
        return own if place in self._known else (*own, (_ALL, STRANGERS))

    def _check(self, windows: Windows, now: float) -> None:
        wait = max(self._wait(key, limits, now) for key, limits in windows)
        if wait > 0:
            raise TooManyTries(wait)

    def _wait(self, key: Key, limits: tuple[Limit, ...], now: float) -> float:
        """Seconds until one more try is within all limits; 0 when it is now."""
        times = self._tries.get(key)
        if not times:
            return 0
        longest = max(limit.seconds for limit in limits)
        times[:] = [at for at in times if at > now - longest]
        return max(_wait_for(limit, times, now) for limit in limits)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, the whole network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _wait_for(limit: Limit, times: list[float], now: float) -> float:
    recent = [at for at in times if at > now - limit.seconds]
    if len(recent) < limit.tries:
        return 0
    return recent[-limit.tries] + limit.seconds - now
