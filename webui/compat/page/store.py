"""What the owner set of old extensions: values of their options, and who may use them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.files import write_atomic
from webui.core.person import Role

log = logging.getLogger(__name__)

FILE: Final = "a1111.json"


class OldStore:
    """A file with options and roles. Usable from any thread."""

    def __init__(self, folder: Path) -> None:
        """What cannot be read counts as empty, and is said in the log."""
        self._path: Final = folder / FILE
        self._lock: Final = threading.Lock()
        self._options: dict[str, Any] = {}
        self._roles: dict[str, str] = {}
        self._read()

    @property
    def options(self) -> Mapping[str, Any]:
        """Values of options by name, those only that were set."""
        return MappingProxyType(dict(self._options))

    def keep_options(self, values: Mapping[str, Any]) -> None:
        """These are set and no others. Raises OSError."""
        with self._lock:
            self._options = dict(values)
            self._write()

    def role(self, extension: str) -> Role:
        """The least role that may use an extension's tabs, buttons and routes."""
        return Role(self._roles.get(extension, Role.OWNER))

    def set_role(self, extension: str, role: Role) -> None:
        """Let this role use it. Raises OSError."""
        with self._lock:
            self._roles[extension] = role.value
            self._write()

    def _read(self) -> None:
        try:
            data = json.loads(self._path.read_text("utf-8"))
            self._options = dict(data["options"])
            self._roles = {id: Role(role).value for id, role in data["roles"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            log.exception("%s can't be read; options of old extensions are as at first.", FILE)

    def _write(self) -> None:
        data = {"options": self._options, "roles": self._roles}
        write_atomic(self._path, json.dumps(data, indent=1, default=str).encode())
