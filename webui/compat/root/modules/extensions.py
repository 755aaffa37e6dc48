"""The old extensions that are on."""

from __future__ import annotations

import configparser
import os
from contextlib import suppress
from typing import Any

from modules.gesso import side
from modules.paths_internal import extensions_builtin_dir, extensions_dir
from webui.compat.missing import unprovided

__all__ = ["extensions_builtin_dir", "extensions_dir"]


class ExtensionMetadata:
    """What an extension says of itself in metadata.ini."""

    filename = "metadata.ini"

    def __init__(self, path: str, canonical_name: str) -> None:
        self.config = configparser.ConfigParser()
        self.canonical_name = canonical_name
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            self.config.read(os.path.join(path, self.filename), "utf-8")
        self.canonical_name = self.config.get("Extension", "Name", fallback=canonical_name)
        self.canonical_name = self.canonical_name.lower().strip()
        self.requires: Any = self.get_script_requirements("Requires", "Extension")

    def get_script_requirements(
        self, field: str, section: str, extra_section: str | None = None
    ) -> list[str]:
        """Names in a list, lower case."""
        text = self.config.get(section, field, fallback="")
        if extra_section:
            text += ", " + self.config.get(extra_section, field, fallback="")
        return [word for word in text.lower().replace(",", " ").split() if word]


class Extension:
    """One extension."""

    def __init__(
        self,
        name: str,
        path: str,
        enabled: bool = True,
        is_builtin: bool = False,
        metadata: Any = None,
    ) -> None:
        self.name, self.path = name, path
        self.enabled, self.is_builtin = enabled, is_builtin
        self.status = ""
        self.can_update = False
        self.commit_hash = self.commit_date = self.version = self.branch = ""
        self.remote: str | None = None
        self.have_info_from_repo = False
        self.metadata = metadata or ExtensionMetadata(path, name.lower())
        self.canonical_name = self.metadata.canonical_name

    def to_dict(self) -> dict[str, Any]:
        """What of it is kept."""
        return {key: getattr(self, key) for key in ("name", "path", "enabled", "is_builtin")}

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take what was kept."""
        for key, value in d.items():
            setattr(self, key, value)

    def read_info_from_repo(self) -> None:
        """Versions are shown on the page of extensions."""
        self.have_info_from_repo = True

    def list_files(self, subdir: str, extension: str) -> list[Any]:
        """Its files in a folder that end so."""
        from modules import scripts

        folder = os.path.join(self.path, subdir)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [
            scripts.ScriptFile(self.path, name, os.path.join(folder, name))
            for name in names
            if os.path.splitext(name)[1].lower() == extension
        ]

    def check_updates(self) -> None:
        """Updates are looked for on the page of extensions."""

    def fetch_and_reset_hard(self, commit: str = "origin") -> None:
        """Not here."""
        raise RuntimeError("Extensions are updated on the page of extensions.")


extensions: list[Extension] = []
extension_paths: dict[str, Extension] = {}
loaded_extensions: dict[str, Exception] = {}


def active() -> list[Extension]:
    """Those that are on."""
    list_extensions()
    return [each for each in extensions if each.enabled]


def list_extensions() -> None:
    """Fill the list."""
    known = {each.path: each for each in extensions}
    paths = [str(folder) for folder in side.folders.values()]
    extensions[:] = [known.get(path) or Extension(os.path.basename(path), path) for path in paths]
    extension_paths.clear()
    extension_paths.update({each.path: each for each in extensions})


def find_extension(filename: str) -> Extension | None:
    """The extension that a file belongs to."""
    list_extensions()
    path = os.path.abspath(filename)
    return next((each for each in extensions if path.startswith(each.path + os.sep)), None)


list_extensions()
__getattr__ = unprovided(__name__)
