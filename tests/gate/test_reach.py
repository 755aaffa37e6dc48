"""The names and addresses that a server answers to, the proxies it believes, its certificates."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.gate.site import Site, needs_more_of_loopback, plain_app, serving
from webui.core.errors import InvalidRequest
from webui.gate.addresses import own_addresses, own_hosts, own_names
from webui.gate.certificate import Certificate, given_certificate, make_context, own_certificate
from webui.gate.gate import Surroundings
from webui.gate.names import Authority, Names, read_allowed
from webui.gate.proxies import Proxies
from webui.gate.server import protect
from webui.gate.sockets import open_network, read_addresses
from webui.gate.tls import Tls

HOSTS = ("192.168.1.20", "[fd00::20]", "studio", "studio.local")


def test_the_machines_own_addresses_can_be_reached_from_a_browser() -> None:
    for address in own_addresses():
        assert not address.is_loopback
        assert not address.is_link_local
    for name in own_names():
        assert name == name.lower()
        assert not name.replace(".", "").isdigit()
    assert set(own_names()) <= set(own_hosts())


def test_a_new_address_of_the_machine_is_found() -> None:
    """A laptop that changes its network needs no restart."""
    now, addresses = [0.0], ["192.168.1.20"]
    names = Names(own=lambda: list(addresses), clock=lambda: now[0])
    assert names.include(Authority(name="192.168.1.20", port=7860), 7860)
    addresses[:] = ["10.0.0.7"]
    now[0] = 3.0
    assert names.include(Authority(name="10.0.0.7", port=7860), 7860)
    assert not names.include(Authority(name="192.168.1.20", port=7860), 7860)


def test_unknown_names_do_not_keep_the_server_reading_its_addresses() -> None:
    read = []

    def own() -> list[str]:
        read.append(1)
        return []

    names = Names(own=own, clock=lambda: 5.0)
    for n in range(100):
        assert not names.include(Authority(name=f"evil{n}.example", port=7860), 7860)
    assert len(read) == 1


@pytest.mark.parametrize(
    ("allowed", "name", "port", "is_known"),
    [
        ("gesso.example.org", "gesso.example.org", 443, True),
        ("gesso.example.org", "gesso.example.org", 7860, True),
        ("Gesso.Example.org", "gesso.example.org", 443, True),
        ("nas.lan:8080", "nas.lan", 8080, True),
        ("nas.lan:8080", "nas.lan", 7860, False),
        ("[fd00::1]:8080", "[fd00::1]", 8080, True),
        ("gesso.example.org", "www.gesso.example.org", 443, False),
        ("gesso.example.org", "example.org", 443, False),
        ("", "localhost", 7860, True),
        ("", "localhost", 7861, False),
    ],
)
def test_allowed_names_are_exact(allowed: str, name: str, port: int, is_known: bool) -> None:
    names = Names(allowed=read_allowed(allowed))
    assert names.include(Authority(name=name, port=port), 7860) is is_known


@pytest.mark.parametrize("text", ["*", "*.example.org", "http://a.example", "a b", "a/b", "a:x"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="can't be a name") as raised:
        read_allowed(text)
    assert raised.value.field == "allowed_hosts"


@contextmanager
def behind(trusted: str, hosts: Sequence[str] = HOSTS) -> Iterator[Site]:
    """A server that believes proxies at these addresses."""
    names = Names(own=lambda: hosts, allowed=read_allowed("gesso.example.org"))
    surroundings = Surroundings(names=names, proxies=Proxies(trusted))
    with serving(protect(plain_app(), surroundings)) as site:
        yield site


FORWARDED = (
    ("X-Forwarded-Host", "gesso.example.org"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-For", "203.0.113.9"),
)


def test_a_trusted_proxy_tells_where_a_request_came_from() -> None:
    with behind("127.0.0.0/8") as site:
        seen = site.get("/api/v1/scope", *FORWARDED).body
    assert b'"url":"https://gesso.example.org/api/v1/scope"' in seen
    assert b'"client":"203.0.113.9"' in seen
    assert b"x-forwarded" not in seen


def test_the_page_behind_a_proxy_is_one_site() -> None:
    """Its Origin is the one outside; the one inside is foreign."""
    with behind("127.0.0.1") as site:
        outside = ("Origin", "https://gesso.example.org")
        inside = ("Origin", site.origin)
        write = ("X-Gesso", "1")
        assert site.ask("POST", "/api/v1/thing", [*FORWARDED, outside, write]).status == 200
        assert site.ask("POST", "/api/v1/thing", [*FORWARDED, inside, write]).status == 403


@pytest.mark.parametrize("trusted", ["", "192.0.2.1", "10.0.0.0/8,::1"])
def test_nobody_else_is_believed(trusted: str) -> None:
    with behind(trusted) as site:
        seen = site.get("/api/v1/scope", *FORWARDED).body
    assert b"example.org" not in seen
    assert b"203.0.113.9" not in seen
    assert b'"client":"127.0.0.1"' in seen


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 127.0.0.1", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 127.0.0.2", "127.0.0.1"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(hops: str, client: str) -> None:
    """What stands further to the left anybody may have written."""
    with behind("127.0.0.0/8") as site:
        seen = site.get("/api/v1/scope", ("X-Forwarded-For", hops)).body
    assert f'"client":"{client}"'.encode() in seen


def test_a_host_from_a_proxy_must_be_an_allowed_one() -> None:
    with behind("127.0.0.1") as site:
        assert site.get("/api/v1/thing", ("X-Forwarded-Host", "evil.example")).status == 421


@pytest.mark.parametrize("text", ["everyone", "1.2.3.4/99", "proxy.lan", "*"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no address and no network") as raised:
        Proxies(text)
    assert raised.value.field == "trusted_proxies"


def test_before_there_is_an_owner_no_proxy_is_answered() -> None:
    """It would look like this machine itself, and let strangers become the owner."""
    with behind("127.0.0.1") as site:
        site.gate.keep_to_loopback(True)
        assert site.get("/api/v1/thing").status == 200
        for header in (*FORWARDED, ("Forwarded", "for=1.2.3.4"), ("X-Real-IP", "1.2.3.4")):
            assert site.get("/api/v1/thing", header).status == 403
        for host in (f"192.168.1.20:{site.port}", "gesso.example.org"):
            assert site.ask("GET", "/api/v1/thing", hosts=[host]).status == 421
        site.gate.keep_to_loopback(False)
        assert site.get("/api/v1/thing", *FORWARDED).status == 200


def read(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.certificate.read_bytes())


def test_a_certificate_made_here_is_for_all_names(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "tls", {"localhost", "127.0.0.1", "[::1]", *HOSTS})
    found = read(made)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "studio", "studio.local"}
    assert set(names.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address(text) for text in ("127.0.0.1", "::1", "192.168.1.20", "fd00::20")
    }
    lasts = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=360) < lasts < datetime.timedelta(days=398)
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert made.fingerprint.count(":") == 31


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights elsewhere")
def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "tls", HOSTS)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600


def test_the_certificate_is_kept_while_it_is_good_for_all_names(tmp_path: Path) -> None:
    first = own_certificate(tmp_path, HOSTS)
    assert own_certificate(tmp_path, HOSTS[:2]).fingerprint == first.fingerprint
    other = own_certificate(tmp_path, ["10.0.0.7"])
    assert other.fingerprint != first.fingerprint
    assert other.names == {*HOSTS, "10.0.0.7"}
    assert own_certificate(tmp_path, HOSTS).fingerprint == other.fingerprint  # back at home


@pytest.mark.parametrize("file", ["certificate.pem", "key.pem"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_certificate_is_made_anew(
    tmp_path: Path, file: str, damage: bytes | None
) -> None:
    own_certificate(tmp_path, HOSTS)
    if damage is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(damage)
    make_context(own_certificate(tmp_path, HOSTS))


def test_somebodys_own_files_are_used(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, HOSTS)
    given = given_certificate(str(made.certificate), str(made.key))
    assert (given.is_self_signed, given.fingerprint) == (False, made.fingerprint)


def test_wrong_files_are_told_apart(tmp_path: Path) -> None:
    one, other = (own_certificate(tmp_path / name, HOSTS) for name in ("one", "other"))
    no_pem = tmp_path / "no.pem"
    no_pem.write_text("hello")
    cases = [
        ((str(one.certificate), ""), "tls_key", "needs its key"),
        (("", str(one.key)), "tls_cert", "give both"),
        ((str(tmp_path / "missing.pem"), str(one.key)), "tls_cert", "can't be read"),
        ((str(no_pem), str(one.key)), "tls_cert", "no certificate in PEM"),
        ((str(one.certificate), str(other.key)), "tls_key", "made for"),
        ((str(one.certificate), str(no_pem)), "tls_key", "can't be used"),
        ((str(one.certificate), str(tmp_path / "missing.pem")), "tls_key", "can't be used"),
    ]
    for files, field, words in cases:
        with pytest.raises(InvalidRequest, match=words) as raised:
            given_certificate(*files)
        assert raised.value.field == field


def test_new_connections_get_the_newest_certificate(tmp_path: Path) -> None:
    hosts = ["localhost"]
    tls = Tls(lambda: own_certificate(tmp_path, hosts))
    with serving(protect(plain_app()), tls=tls) as site:
        first = shown(site)
        assert site.get("/api/v1/thing").status == 200
        hosts.append("10.0.0.7")
        tls.renew()
        assert shown(site) != first
        (tmp_path / "certificate.pem").unlink()
        (tmp_path / "certificate.pem").mkdir()  # nothing can be read or written there
        tls.renew()
        assert site.get("/api/v1/thing").status == 200


def shown(site: Site) -> bytes:
    """The certificate that a server shows."""
    with closing(site.connect()) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        return connection.getpeercert(binary_form=True) or b""


def test_browsers_are_told_to_stay_with_tls_only_where_they_can(tmp_path: Path) -> None:
    """With a certificate that they warn of, the way back in would be shut."""
    tls = Tls(lambda: own_certificate(tmp_path, HOSTS))
    with serving(protect(plain_app()), tls=tls) as site:
        assert site.get("/api/v1/thing").all("strict-transport-security") == []
    with serving(protect(plain_app(), Surroundings(is_strict=True)), tls=tls) as site:
        assert site.get("/api/v1/thing").one("strict-transport-security") == "max-age=2592000"
        assert site.get("/no/such/route").all("strict-transport-security") != []


@needs_more_of_loopback
def test_listening_to_named_addresses_leaves_loopback_open() -> None:
    sockets = open_network(0, ("127.0.0.2",))
    try:
        assert {s.getsockname()[0] for s in sockets} == {"127.0.0.1", "::1", "127.0.0.2"}
        assert len({s.getsockname()[1] for s in sockets}) == 1
    finally:
        for opened in sockets:
            opened.close()


def test_listening_to_loopback_alone_is_not_listening_to_all() -> None:
    sockets = open_network(0, read_addresses("127.0.0.1"))
    try:
        assert {s.getsockname()[0] for s in sockets} == {"127.0.0.1", "::1"}
    finally:
        for opened in sockets:
            opened.close()


def test_an_address_of_another_machine_is_refused_and_nothing_stays_bound() -> None:
    port = free_port()
    with pytest.raises(InvalidRequest, match=r"192\.0\.2\.1") as raised:
        open_network(port, ("192.0.2.1",))
    assert raised.value.field == "listen"
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("text", ["studio.local", "0.0.0.0/0", "everywhere"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no address to listen on"):
        read_addresses(text)
    assert read_addresses("127.0.0.2, [::1],127.0.0.2") == ("127.0.0.2", "::1")
