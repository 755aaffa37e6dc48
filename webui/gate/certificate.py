"""Certificates for TLS: one of somebody's own, or one that is made here and kept.

A certificate that is made here tells nobody who this server is, so browsers warn once. What it
does is to keep passwords and pictures from whoever listens in the network.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import logging
import os
import ssl
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webui.core.errors import InvalidRequest
from webui.core.files import write_atomic

log = logging.getLogger(__name__)

VALID: Final = datetime.timedelta(days=365)
RENEWED_BEFORE: Final = datetime.timedelta(days=30)
MOST_NAMES: Final = 64
_OWN_ONLY: Final = 0o600
_DAY: Final = datetime.timedelta(days=1)  # clocks in a network differ


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path
    is_self_signed: bool
    fingerprint: str
    """SHA-256, in pairs of hexadecimal digits as browsers show it."""
    names: frozenset[str]
    """The hosts that it is for, as they stand in a web address."""
    ends: datetime.datetime


def given_certificate(certificate: str, key: str) -> Certificate:
    """Somebody's own certificate (PEM, with its chain) and key. Raises InvalidRequest which says
    which of the files is wrong, and how."""
    if not (certificate and key):
        missing = "tls_key" if certificate else "tls_cert"
        raise InvalidRequest(
            missing,
            "A certificate of your own needs its key, and a key its certificate: give both "
            "--tls-cert and --tls-key, or neither and --tls self.",
        )
    paths = Path(certificate).expanduser(), Path(key).expanduser()
    found = _described(*paths, is_self_signed=False)
    if found.ends <= _now():
        raise InvalidRequest(
            "tls_cert",
            f"The certificate {paths[0]} ended on {found.ends:%d %B %Y}. Renew it, or start "
            "with --tls self instead.",
        )
    make_context(found)
    return found


def own_certificate(folder: Path, hosts: Collection[str]) -> Certificate:
    """The certificate that is kept in `folder`; made anew when there is none, when it ends soon,
    or when it lacks one of `hosts`. Names that it was once made for stay in it, so that a laptop
    that goes to and fro does not make people accept a new one each time."""
    paths = folder / "certificate.pem", folder / "key.pem"
    known: frozenset[str] = frozenset()
    try:
        kept = _described(*paths, is_self_signed=True)
        make_context(kept)
    except InvalidRequest as error:
        if paths[0].exists():
            log.warning("%s It is made anew.", error.message)
    else:
        known = kept.names
        if set(hosts) <= known and kept.ends - _now() > RENEWED_BEFORE:
            return kept
    names = list(dict.fromkeys([*sorted(hosts), *sorted(known)]))[:MOST_NAMES]
    _make(folder, paths, names)
    return _described(*paths, is_self_signed=True)


def make_context(certificate: Certificate) -> ssl.SSLContext:
    """What a server needs to speak TLS with this certificate. Raises InvalidRequest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, certificate)
    return context


def load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Use a certificate for connections from now on. Raises InvalidRequest."""
    try:
        context.load_cert_chain(certificate.certificate, certificate.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InvalidRequest(
            "tls_key",
            f"The key {certificate.key} can't be used with the certificate "
            f"{certificate.certificate} ({error}). It must be the key that the certificate was "
            "made for, in PEM, without a password.",
        ) from error


def _no_password() -> str:
    """OpenSSL would ask in the terminal, and the server would wait for ever."""
    raise ValueError("it asks for a password")


def _described(certificate: Path, key: Path, *, is_self_signed: bool) -> Certificate:
    read = _read(certificate)
    return Certificate(
        certificate=certificate,
        key=key,
        is_self_signed=is_self_signed,
        fingerprint=read.fingerprint(hashes.SHA256()).hex(":").upper(),
        names=frozenset(_names(read)),
        ends=read.not_valid_after_utc,
    )


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(
            "tls_cert",
            f"The certificate {path} can't be read ({error.strerror}). Look at its place and "
            "its permissions.",
        ) from error
    except ValueError as error:
        raise InvalidRequest(
            "tls_cert",
            f"The file {path} is no certificate in PEM. It should begin with "
            "-----BEGIN CERTIFICATE-----.",
        ) from error


def _names(certificate: x509.Certificate) -> Iterable[str]:
    with contextlib.suppress(x509.ExtensionNotFound):
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield from found.get_values_for_type(x509.DNSName)
        for address in found.get_values_for_type(x509.IPAddress):
            yield f"[{address}]" if ":" in str(address) else str(address)


def _make(folder: Path, paths: tuple[Path, Path], names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_secret(paths[1], pem)
    made = _signed(key, names)
    write_atomic(paths[0], made.public_bytes(serialization.Encoding.PEM))


def _signed(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gesso (made on this machine)")])
    now = _now()
    draft = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    )
    return draft.sign(key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _write_secret(path: Path, data: bytes) -> None:
    """A file that only its owner may read, from its first byte on."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_ONLY), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
