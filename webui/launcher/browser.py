"""A Chromium for the browser tests: one that is there, Debian's package, or Playwright's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from webui.launcher.errors import SetupError
from webui.launcher.probe import Probe
from webui.launcher.progress import say
from webui.launcher.venv import Venv

VARIABLE: Final = "GESSO_CHROMIUM"
"""Where the tests look for the browser's path."""

PROGRAMS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "msedge",
)


def find_browser(system: str, environment: Mapping[str, str]) -> str:
    """Path of a Chromium or one of its relatives, or ""."""
    if named := environment.get(VARIABLE):
        return named
    path = environment.get("PATH", "")
    on_path = (shutil.which(program, path=path) for program in PROGRAMS)
    places = (str(place) for place in usual_places(system, environment))
    return next((found for found in (*on_path, *places) if found), "")


def usual_places(system: str, environment: Mapping[str, str]) -> list[Path]:
    """Where browsers are that aren't on the path, Playwright's downloads included."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "/")
    folders, programs = _linux_places(home)
    if system == "macos":
        folders, programs = _mac_places(home)
    if system == "windows":
        folders, programs = _windows_places(environment)
    return [path for folder in folders for name in programs for path in sorted(folder.glob(name))]


Places = tuple[tuple[Path, ...], tuple[str, ...]]


def _linux_places(home: Path) -> Places:
    return (home / ".cache/ms-playwright",), ("chromium-*/chrome-linux*/chrome",)


def _mac_places(home: Path) -> Places:
    own = "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"
    names = ("Google Chrome", "Chromium", "Microsoft Edge")
    programs = (*(f"{name}.app/Contents/MacOS/{name}" for name in names), own)
    return (
        Path("/Applications"),
        home / "Applications",
        home / "Library/Caches/ms-playwright",
    ), programs


def _windows_places(environment: Mapping[str, str]) -> Places:
    variables = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
    folders = tuple(Path(environment[name]) for name in variables if name in environment)
    return folders, (
        "Google/Chrome/Application/chrome.exe",
        "Microsoft/Edge/Application/msedge.exe",
        "ms-playwright/chromium-*/chrome-win*/chrome.exe",
    )


def debian_command(os_release: str, is_root: bool, has_sudo: bool) -> list[str]:
    """The start of an apt-get command that may install, or [] where that can't be done.

    Ubuntu's chromium package is only a pointer to a snap, which doesn't start in containers.
    """
    if not re.search(r"^ID=\"?(debian|raspbian)\"?$", os_release, re.MULTILINE):
        return []
    if is_root:
        return ["apt-get"]
    return ["sudo", "-n", "apt-get"] if has_sudo else []


def get_browser(system: str, venv: Venv, probe: Probe) -> str:
    """Path of a browser, installed now if there is none. Raises SetupError if none can be had."""
    if found := find_browser(system, os.environ):
        return found
    os_release = "".join(probe.read("/etc/os-release").values())
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    has_sudo = not is_root and probe.run("sudo", "-n", "true").code == 0
    apt = debian_command(os_release, is_root, has_sudo)
    if apt:
        commands = [
            [*apt, "update"],
            [*apt, "install", "-y", "--no-install-recommends", "chromium"],
        ]
        _try("Debian's Chromium", commands)
    if not find_browser(system, os.environ):
        _try("Chromium", [[str(venv.python), "-m", "playwright", "install", "chromium"]])
    if found := find_browser(system, os.environ):
        return found
    raise SetupError(
        "The browser tests need Chromium, and none could be found or installed.",
        f"Install Chrome or Chromium (or set {VARIABLE} to its path), "
        "or leave these tests out with --no-browser.",
    )


def _try(title: str, commands: list[list[str]]) -> None:
    """Run commands until one fails; whether there is a browser then is for the caller to see."""
    say(f"• Install {title} for the browser tests")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            errors = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Error"))]
            say(f"  {' '.join(command)} failed. {' '.join(errors[-2:])}")
            return
