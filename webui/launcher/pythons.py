"""Which Pythons the program runs on, and how to find one when started with another.

Written in the syntax of Python 3.6, because an old Python has to get far enough to say so.
"""

import os
import struct
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
NEWEST = (3, 14)
PREFERRED = ("3.13", "3.12", "3.11", "3.14")

_QUESTION = (
    "import sys, struct, venv, ensurepip; "
    "print(sys.version_info[0], sys.version_info[1], struct.calcsize('P'))"
)


def is_suitable(version: "tuple[int, int]", pointer_bytes: int) -> bool:
    """Whether the program runs on this Python. Libraries of 32-bit Pythons don't exist."""
    return OLDEST <= tuple(version) <= NEWEST and pointer_bytes == 8


def candidates(system: str, home: str, environment: "dict[str, str]") -> "list[list[str]]":
    """Commands that may start a suitable Python, the best first. None of them is known to exist."""
    if system == "win32":
        local = environment.get("LOCALAPPDATA", "")
        installed = [
            [local + "\\Programs\\Python\\Python" + version.replace(".", "") + "\\python.exe"]
            for version in PREFERRED
        ]
        return [["py", "-" + version] for version in PREFERRED] + installed
    folders = ["/opt/homebrew/bin/", "/usr/local/bin/"] if system == "darwin" else []
    found = [[folder + "python" + v] for v in PREFERRED for folder in ["", *folders]]
    for version in PREFERRED:
        by_pyenv = Path(home).glob(f".pyenv/versions/{version}.*/bin/python")
        found += [[str(path)] for path in sorted(by_pyenv, reverse=True)]
    return found


def answers(command: "list[str]") -> bool:
    """Whether this command starts a suitable Python that can make environments."""
    try:
        answer = subprocess.check_output(
            [*command, "-c", _QUESTION], stderr=subprocess.DEVNULL, timeout=20
        )
        major, minor, pointer_bytes = (int(part) for part in answer.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return is_suitable((major, minor), pointer_bytes)


def explain(version: "tuple[int, int]", pointer_bytes: int, system: str) -> str:
    """Why this Python can't be used and how to get another."""
    install = {
        "win32": "Install it with `winget install Python.Python.3.12` or from python.org",
        "darwin": "Install it with `brew install python@3.12` or from python.org",
    }.get(system, "Install it with your package manager (Debian: python3.11 and python3.11-venv)")
    bits = "" if pointer_bytes == 8 else " (32-bit)"
    return (
        f"Gesso needs a 64-bit Python 3.11, 3.12 or 3.13; this is Python "
        f"{version[0]}.{version[1]}{bits}, and no other was found on this machine.\n"
        f"{install}, then start again with it: python3.12 launch.py"
    )


def restart(arguments: "list[str]") -> int:
    """Go on with a suitable Python if there is one; otherwise 1, after saying what to do.

    On Linux and macOS it doesn't return when it found one: this process becomes that Python.
    """
    environment = dict(os.environ)
    for command in candidates(sys.platform, str(Path.home()), environment):
        if answers(command):
            shown = " ".join(command)
            major, minor = sys.version_info[:2]
            print(f"Gesso needs Python 3.11 to 3.13; this is {major}.{minor}. Using {shown}.")
            sys.stdout.flush()
            if sys.platform == "win32":
                return subprocess.call([*command, *arguments])
            os.execvp(command[0], [*command, *arguments])
    version = (sys.version_info[0], sys.version_info[1])
    print(explain(version, struct.calcsize("P"), sys.platform), file=sys.stderr)
    return 1
