"""What the look through an extension's files finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installs.making import House, extension, written, zipped
from webui.installs.scan import Sign, scan, scan_source


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        ("import subprocess\nsubprocess.run(['x'])", Sign.PROCESS),
        ("import subprocess as s\ns.Popen('x')", Sign.PROCESS),
        ("from os import system as quiet\nquiet('x')", Sign.PROCESS),
        ("import os\nos.popen('x')", Sign.PROCESS),
        ("eval('1')", Sign.CODE),
        ("exec(compile('1', '', 'exec'))", Sign.CODE),
        ("import os\ngetattr(os, 'sys' + 'tem')('x')", Sign.CODE),
        ("import builtins\nbuiltins.eval('1')", Sign.CODE),
        ("import requests\nrequests.get('x')", Sign.NETWORK),
        ("import urllib.request\nurllib.request.urlopen('x')", Sign.NETWORK),
        ("from urllib.request import urlopen\nurlopen('x')", Sign.NETWORK),
        ("import socket\nsocket.socket()", Sign.NETWORK),
        ("import base64\nbase64.b64decode('eA==')", Sign.BLOB),
        ("import marshal\nmarshal.loads(b'')", Sign.BLOB),
        (f"data = '{'QUJD' * 600}'", Sign.BLOB),
        ("import torch\ntorch.load('x')", Sign.PICKLE),
        ("import pickle\npickle.load(open('x'))", Sign.PICKLE),
        ("import numpy as np\nnp.load('x', allow_pickle=True)", Sign.PICKLE),
        ("import ctypes\nctypes.CDLL('x')", Sign.NATIVE),
        ("open('/etc/x', 'w')", Sign.WRITE),
        ("open('../x', mode='a')", Sign.WRITE),
        ("import os\nos.remove('C:/x')", Sign.WRITE),
        ("import shutil\nshutil.rmtree(folder)", Sign.WRITE),
        ("this is no Python", Sign.UNREADABLE),
    ],
)
def test_code_is_told(code: str, sign: Sign) -> None:
    assert sign in {finding.sign for finding in scan_source(code)}


@pytest.mark.parametrize(
    "code",
    ["open('/etc/x')", "open('words.txt', 'w')", "x = 'a' * 5000", "import os\nos.path.join('a')"],
)
def test_what_is_harmless_is_not(code: str) -> None:
    assert scan_source(code) == []


def test_files_are_told_by_what_they_are(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "install.py": "", "preload.py": "", "javascript/a.js": "", "style.css": "",
        "start.pth": "import os", "model.pth": b"PK\x03\x04\0\0\0", "lib.dll": b"MZ",
        "tool": b"\x7fELF\0", "run.sh": "rm", "words.txt": "words",
    }  # fmt: skip
    found = {finding.file: finding.sign for finding in scan(written(tmp_path, files))}
    assert found == {
        "install.py": Sign.INSTALL, "preload.py": Sign.PRELOAD, "javascript/a.js": Sign.JAVASCRIPT,
        "style.css": Sign.CSS, "start.pth": Sign.PTH, "lib.dll": Sign.BINARY,
        "tool": Sign.BINARY, "run.sh": Sign.BINARY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("MIT License\n\nPermission is hereby granted, free of charge, to any", "MIT"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3", "AGPL-3.0"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("do what you like", "LICENSE.txt"),
    ],
)
def test_the_licence_is_told_by_its_text(house: House, text: str, licence: str) -> None:
    files: dict[str, str | bytes] = {"scripts/a.py": "x = 1", "LICENSE.txt": text}
    review = house.upload(zipped(files)).review
    assert review is not None
    assert review.licence == licence


def test_a_manifest_that_can_not_be_read_is_told(house: House) -> None:
    task = house.upload(zipped(extension(manifest="id = 3")))
    assert "extension.toml" in task.note
