"""What A1111's launcher does before it starts: here the studio has done it, and scripts are told
how things are. Nothing is installed, fetched or run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from packaging.requirements import InvalidRequirement, Requirement

from modules.gesso import side
from modules.paths_internal import extensions_dir, script_path
from modules.shared_cmd_options import cmd_opts
from webui.compat.missing import unprovided

args = cmd_opts
python = sys.executable
git = os.environ.get("GIT", "git")
index_url = os.environ.get("INDEX_URL", "")
dir_repos = "repositories"
default_command_live = False
re_requirement = re.compile(r"\s*([-_a-zA-Z0-9]+)\s*(?:==\s*([-+_.a-zA-Z0-9]+))?\s*")
VERSION = "v1.10.1"
"""The A1111 whose interface this is; scripts compare it."""

__all__ = ["extensions_dir", "script_path"]


def commit_hash() -> str:
    """Not a copy of A1111's repository."""
    return "<none>"


def git_tag() -> str:
    """The version of A1111 whose interface this is."""
    return VERSION


git_tag_a1111 = git_tag


def is_installed(package: str) -> bool:
    """Whether a package is there, by the name it is imported or installed by."""
    try:
        wanted = Requirement(package)
    except InvalidRequirement:
        return _is_importable(package)
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return _is_importable(wanted.name)
    return wanted.specifier.contains(version, prereleases=True)


def requirements_met(requirements_file: str) -> bool:
    """Whether all packages of a requirements.txt are there."""
    lines = Path(requirements_file).read_text("utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    return all(is_installed(line) for line in wanted if line and not line.startswith("-"))


def run_pip(command: str, desc: str | None = None, live: bool = False) -> NoReturn:
    """Raises: packages are not installed by scripts. What was asked is kept for the doctor."""
    _refuse_to(f"pip {command}", desc)


def run(
    command: str,
    desc: str | None = None,
    errdesc: str | None = None,
    custom_env: Any = None,
    live: bool = False,
) -> NoReturn:
    """Raises: no commands are run by scripts."""
    _refuse_to(command, desc)


def check_run(command: str) -> bool:
    """Whether a command would work: none is run."""
    return False


def check_run_python(code: str) -> bool:
    """As `check_run`."""
    return False


def git_clone(url: str, dir: str, name: str, commithash: str | None = None) -> NoReturn:
    """Raises: nothing is fetched by scripts."""
    _refuse_to(f"git clone {url}", name)


def git_pull_recursive(dir: str) -> None:
    """Extensions are updated on their own page."""


def repo_dir(name: str) -> str:
    """Where A1111 would keep a copy of a repository."""
    return os.path.join(script_path, dir_repos, name)


def list_extensions(settings_file: str = "") -> list[str]:
    """Names of the extensions that are on."""
    return [folder.name for folder in side.folders.values()]


def run_extension_installer(extension_dir: str) -> None:
    """install.py is read, not run, when an extension is installed."""


def run_extensions_installers(settings_file: str = "") -> None:
    """As `run_extension_installer`."""


def prepare_environment() -> None:
    """The studio is running already."""


def configure_for_tests() -> None:
    """Nothing to configure."""


def start() -> None:
    """The studio is running already."""


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _refuse_to(command: str, desc: str | None) -> NoReturn:
    words = f"{command} ({desc})" if desc else command
    if words not in side.asked:
        side.asked.append(words)
    raise RuntimeError(
        f"Scripts can't install or run anything here; this one asked for: {words}. Name packages "
        "in the extension's requirements.txt, and install it again: they are resolved together "
        "with those of the studio."
    )


__getattr__ = unprovided(__name__)
