"""Addresses under which one picture can be fetched for an hour, by whoever holds the address.

Clients fetch results without any key, as they do from OpenAI. So an address is signed: it names a
picture, a format and a time, and nobody can make one for another picture.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest, NotFound

LIFETIME_S: Final = 3600.0
SIGNATURE_BYTES: Final = 32
LONGEST: Final = 1000
"""Characters of an address; ours have some 200."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture in the form in which it is handed out. `quality` of 0 is the format's usual one."""

    picture_id: str
    format: str
    quality: int = 0


@dataclass(frozen=True, kw_only=True)
class _Promise:
    shown: Shown
    ends_at: float


class Links:
    """Makes and reads such addresses; those of an earlier life of the server are no longer good."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._secret: Final = secrets.token_bytes(SIGNATURE_BYTES)
        self._clock: Final = clock

    def make(self, shown: Shown) -> str:
        """The part of the address that names the picture."""
        promise = _Promise(shown=shown, ends_at=self._clock() + LIFETIME_S)
        data = to_json(promise).encode()
        return base64.urlsafe_b64encode(self._sign(data) + data).decode().rstrip("=")

    def read(self, token: str) -> Shown:
        """What an address names. Raises NotFound when it is none of ours, or too old."""
        promise = self._promise(token) if len(token) <= LONGEST else None
        if promise is None or promise.ends_at < self._clock():
            raise NotFound("picture", "at this address, or not any more")
        return promise.shown

    def _promise(self, token: str) -> _Promise | None:
        try:
            signed = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        signature, data = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(data)):
            return None
        try:
            return from_json(_Promise, data)
        except InvalidRequest:
            return None

    def _sign(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, hashlib.sha256)
