"""Tokens for models that must be asked for: in a file of their own that only its owner may read.

A token is kept for the origin (scheme, host, port) it was given for. It goes nowhere else, and
comes out of here only on its way to that origin.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.files import TEMP_PREFIX, sync_folder

log = logging.getLogger(__name__)

TOKEN: Final = re.compile(r"[\x21-\x7e]{8,500}")


class TokenStore:
    """Tokens by origin. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock: Final = threading.Lock()

    def get(self, origin: str) -> str:
        """The token for an origin; empty if there is none."""
        with self._lock:
            return self._read().get(origin, "")

    def put(self, origin: str, token: str) -> None:
        """Keep a token, or forget it when it is empty. Raises InvalidRequest."""
        token = token.strip()
        if token and not TOKEN.fullmatch(token):
            raise InvalidRequest(
                "token",
                "This is not a token: it has blanks or is too short or too long. Copy it again "
                "from the settings of your account there.",
            )
        with self._lock:
            kept = self._read()
            kept.pop(origin, None)
            self._write({**kept, origin: token} if token else kept)

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            return {str(origin): str(token) for origin, token in kept.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            log.warning("The file of tokens can't be read. Give the tokens again.")
            return {}

    def _write(self, kept: dict[str, str]) -> None:
        """Only the owner may read the file from its first byte on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temp = self._path.with_name(f"{TEMP_PREFIX}{secrets.token_hex(8)}")
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, self._path)
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        sync_folder(self._path.parent)
