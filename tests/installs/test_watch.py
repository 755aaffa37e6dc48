"""What extensions do without having said so is noticed, in a process of its own: a watch can't be
ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.installs.making import written

ROOT = Path(__file__).resolve().parents[2]
DEEDS = """
import os, socket, subprocess, sys

def look_up(host):
    try:
        socket.getaddrinfo(host, 443, flags=socket.AI_NUMERICHOST)
    except OSError:
        pass

def write(place):
    with open(place, "w") as file:
        file.write("here")
    os.remove(place)
    open(os.devnull, "w").close()

def start():
    subprocess.run([sys.executable, "-c", ""])
    os.system("exit 0")
"""
WATCHER = """
import importlib.util, json, sys
from pathlib import Path
from webui.extend.watch import Watch

folder, seen = Path(sys.argv[1]), []
data = folder.parent / "data"
Watch([folder], lambda s: seen.append([s.extension, s.what, s.detail]), data).begin()

def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

for file in (folder / "told" / "deeds.py", folder / "silent" / "deeds.py"):
    deeds = load(file)
    for host in ("words.example", "elsewhere.example", "localhost", "127.0.0.1", "words.example"):
        deeds.look_up(host)
    for place in (file.parent, data / "told-one", folder.parent):
        deeds.write(place / "words.txt")
    deeds.start()
load(Path(sys.argv[2])).start()
print(json.dumps(seen))
"""
TOLD = """
id = "told-one"
name = "Told"
[permissions.network]
reason = "words"
hosts = ["words.*"]
[permissions.subprocess]
reason = "to start things"
"""


def seen(tmp_path: Path) -> Any:
    folder = tmp_path / "extensions"
    written(folder / "told", {"extension.toml": TOLD, "deeds.py": DEEDS})
    written(folder / "silent", {"deeds.py": DEEDS})
    written(tmp_path, {"own.py": DEEDS})
    for name in ("data/told-one", "passing"):
        (tmp_path / name).mkdir(parents=True)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "passing")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, str(folder), str(tmp_path / "own.py")],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_only_what_was_not_declared_is_told_and_once(tmp_path: Path) -> None:
    assert seen(tmp_path) == [
        ["told-one", "network", "elsewhere.example"],
        ["told-one", "write", str(tmp_path / "words.txt")],
        ["silent", "network", "words.example"],
        ["silent", "network", "elsewhere.example"],
        ["silent", "write", str(tmp_path / "data" / "told-one" / "words.txt")],
        ["silent", "write", str(tmp_path / "words.txt")],
        ["silent", "subprocess", sys.executable],
        ["silent", "subprocess", "exit 0"],
    ]
