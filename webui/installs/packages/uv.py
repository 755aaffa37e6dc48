"""Running uv, the resolver and installer of packages, as the wheel brings it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.installs.line import Line

TIMEOUT_S: Final = 1800
PIP_S: Final = 30
UNREACHABLE: Final = (
    "failed to fetch",
    "error sending request",
    "connectivity is disabled",
    "network connectivity",
    "dns error",
    "client error",
    "request failed",
)


class PackagesUnreachable(InvalidRequest):
    """The index of packages can't be asked; it may work later."""

    def __init__(self, message: str) -> None:
        super().__init__("packages", message)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a run of uv ended."""

    code: int
    out: str
    err: str

    @property
    def cause(self) -> str:
        """What it said was wrong, in a few lines."""
        return self.err.strip()[-4000:]


@dataclass(frozen=True, kw_only=True)
class Uv:
    """uv with its cache. `options` say where packages come from; `trust` is a file of
    certificates, empty for the system's."""

    cache: Path
    options: tuple[str, ...] = ()
    trust: str = ""

    def run(self, arguments: Sequence[str], line: Line) -> Ran:
        """Run it to its end. Raises Stopped, PackagesUnreachable or OSError."""
        command = [_program(), "--no-progress", "--color", "never", "--cache-dir", str(self.cache)]
        process = subprocess.Popen(
            [*command, *arguments, *self.options],
            env=self._environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        with process, line.ending(process.kill):
            try:
                out, err = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
        line.check()
        ran = Ran(code=process.returncode, out=out, err=err)
        if ran.code and any(sign in err.lower() for sign in UNREACHABLE):
            raise PackagesUnreachable(
                "The index of packages can't be reached. Check the network and try again; nothing "
                f"was changed. ({err.strip().splitlines()[-1].strip()[:200]})"
            )
        return ran

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """No settings of a project or of the user's tools, but mirrors that they named."""
        kept = {name: value for name, value in own.items() if name not in _NOT_OURS}
        more = {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
        if self.trust:
            more["SSL_CERT_FILE"] = self.trust
        return kept | more


_NOT_OURS: Final = frozenset(
    {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_TARGET", "UV_CONSTRAINT"}
    | {"UV_OVERRIDE", "UV_EXCLUDE", "UV_PRERELEASE", "UV_RESOLUTION", "UV_NO_BINARY", "UV_PREFIX"}
)


def personal_uv(cache: Path) -> Uv:
    """uv with the mirrors, folders and certificates that the person has set for pip."""
    told = _pip_settings()
    options: list[str] = []
    for key, option in (("index-url", "--default-index"), ("extra-index-url", "--index")):
        for url in told.get(key, "").split():
            options += [option, url]
    for place in told.get("find-links", "").split():
        options += ["--find-links", place]
    for host in told.get("trusted-host", "").split():
        options += ["--allow-insecure-host", host]
    if told.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    return Uv(cache=cache, options=tuple(options), trust=told.get("cert", ""))


def _pip_settings() -> dict[str, str]:
    """What pip is set to, its files and the environment together."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, str] = {}
    for row in done.stdout.splitlines():
        key, equals, value = row.partition("=")
        if equals and key.rpartition(".")[0] in ("global", "install", ":env:"):
            found[key.rpartition(".")[2]] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    try:
        return " ".join(str(ast.literal_eval(value)).split())
    except (ValueError, SyntaxError):
        return value


def _program() -> str:
    """The binary. It is found here, so that nothing is imported where no package is needed."""
    from uv import find_uv_bin

    return str(find_uv_bin())
