"""Secrets that are not passwords: 256 random bits, kept only as a digest.

They can't be guessed, so a plain SHA-256 does where a password needs argon2.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

KEY_PREFIX: Final = "gesso_"
"""Tells an API key from a password, and lets scanners for leaked secrets find it."""
MOST_CHARACTERS: Final = 100


def new_token() -> str:
    """A secret for a cookie or a link: 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


def new_key() -> str:
    """A secret for a program."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_id() -> str:
    """A name for a row that may be shown."""
    return secrets.token_hex(8)


def digest(token: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(token[:MOST_CHARACTERS].encode("utf-8", "surrogatepass")).digest()
