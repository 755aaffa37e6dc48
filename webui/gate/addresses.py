"""This machine's own addresses and names in its network. Nothing is sent to find them out."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Final

import ifaddr

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_INNER: Final = re.compile(
    r"docker|br-|veth|virbr|vmnet|vboxnet|vethernet|wsl|hyper-v|lo\d*$", re.I
)
"""Adapters that lead to containers and virtual machines on this machine, not to other people."""
_OUTSIDE: Final = ("192.0.2.1", 9)
"""An address set aside for examples (RFC 5737)."""
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def own_addresses() -> list[Address]:
    """The addresses at which others may reach this machine, the most likely one first.

    Loopback and link-local addresses are left out: the first nobody else can use, and the second
    don't work in a browser.
    """
    first = _way_out()
    found = [
        (address != first, bool(_INNER.match(adapter.nice_name)), address.version, str(address))
        for adapter in ifaddr.get_adapters()
        for address in map(_address, adapter.ips)
        if not (address.is_loopback or address.is_link_local)
    ]
    return [ipaddress.ip_address(text) for *_, text in sorted(set(found))]


def own_names() -> list[str]:
    """What others may call this machine: its name, and that name as Bonjour announces it."""
    host = socket.gethostname().lower().removesuffix(".local")
    label = host.partition(".")[0]
    names = [f"{label}.local", label, host]
    return list(dict.fromkeys(name for name in names if _is_name(name)))


def as_host(address: Address | str) -> str:
    """An address as it stands in a web address: IPv6 in brackets."""
    text = str(address)
    return f"[{text}]" if ":" in text else text


def own_hosts() -> list[str]:
    """Addresses and names together, as they stand in a web address."""
    return [*map(as_host, own_addresses()), *own_names()]


def among(addresses: Sequence[str]) -> list[str]:
    """The hosts of a server that listens to these addresses only, and to loopback."""
    return [as_host(ipaddress.ip_address(address)) for address in addresses]


def _is_name(name: str) -> bool:
    labels: Iterable[str] = name.split(".")
    is_number = name.replace(".", "").isdigit()
    return not is_number and all(_LABEL.fullmatch(label) for label in labels)


def _address(ip: ifaddr.IP) -> Address:
    # ifaddr gives IPv6 as (address, flow, scope)
    return ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0].partition("%")[0])


def _way_out() -> Address | None:
    """The address that this machine would use for what leaves its network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(_OUTSIDE)  # for datagrams this only chooses the way
        except OSError:
            return None
        return ipaddress.ip_address(unsent.getsockname()[0])
