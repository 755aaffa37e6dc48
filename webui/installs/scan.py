"""What strikes the eye in an extension's files, found without running any of them.

This helps a person who looks; it stops nobody who hides.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.installs.trees import files_of

MOST_FINDINGS: Final = 300
MOST_SOURCE_BYTES: Final = 2**21
LONGEST_LITERAL: Final = 2000
SHOWN_SIGNS: Final = 160


class Sign(StrEnum):
    """What a finding is about."""

    PROCESS = "process"
    CODE = "code"
    NETWORK = "network"
    BLOB = "blob"
    PICKLE = "pickle"
    NATIVE = "native"
    WRITE = "write"
    INSTALL = "install"
    PRELOAD = "preload"
    JAVASCRIPT = "javascript"
    CSS = "css"
    PTH = "pth"
    BINARY = "binary"
    UNREADABLE = "unreadable"


MEANINGS: Final[Mapping[Sign, str]] = MappingProxyType(
    {
        Sign.PROCESS: "starts other programs",
        Sign.CODE: "runs code that is made or loaded while it runs",
        Sign.NETWORK: "talks to other computers",
        Sign.BLOB: "holds or unpacks data that nobody can read",
        Sign.PICKLE: "loads files that may hold code",
        Sign.NATIVE: "calls into compiled libraries",
        Sign.WRITE: "writes or deletes files outside of its folder",
        Sign.INSTALL: "has an install.py; it is read here, and run only if you agree",
        Sign.PRELOAD: "has a preload.py, which adds flags of the command line",
        Sign.JAVASCRIPT: "adds JavaScript to the page: it sees and does what you do there",
        Sign.CSS: "changes how the page looks",
        Sign.PTH: "has a .pth file that Python would run at each start; it is never processed",
        Sign.BINARY: "has compiled files, which can't be looked into",
        Sign.UNREADABLE: "has Python files that can't be read",
    }
)
_CALLS: Final = (
    (Sign.PROCESS, r"subprocess\.\w+|os\.(system|popen|exec\w+|spawn\w+|posix_spawn\w*|startfile)"),
    (Sign.PROCESS, r"pty\.spawn|asyncio\.create_subprocess_\w+|multiprocessing\.Process"),
    (Sign.CODE, r"(builtins\.)?(eval|exec|compile|__import__)|runpy\.\w+|types\.CodeType"),
    (Sign.CODE, r"importlib\.util\.(spec_from_file_location|module_from_spec)"),
    (Sign.NETWORK, r"(requests|httpx|aiohttp|urllib3|ftplib|smtplib|websockets?|paramiko)\..+"),
    (Sign.NETWORK, r"urllib\.request\..+|http\.client\..+|socket\..+|huggingface_hub\..+"),
    (Sign.NETWORK, r"torch\.hub\.(download_url_to_file|load_state_dict_from_url|load)|gdown\..+"),
    (Sign.BLOB, r"base64\.\w*decode\w*|marshal\.loads?|zlib\.decompress|codecs\.decode|lzma\..+"),
    (Sign.PICKLE, r"torch\.load|c?[pP]ickle\.loads?|dill\.loads?|joblib\.load|.*\.Unpickler"),
    (Sign.NATIVE, r"ctypes\..+|cffi\..+"),
    (Sign.WRITE, r"os\.(putenv|chmod|chown|link|symlink)|shutil\.rmtree|winreg\..+"),
)
_CALL_PATTERNS: Final = tuple((sign, re.compile(pattern)) for sign, pattern in _CALLS)
_WRITES: Final = re.compile(
    r"open|io\.open|os\.(remove|unlink|rename|replace|makedirs|mkdir)|shutil\.(copy\w*|move)"
)
_OUTSIDE: Final = re.compile(r"^(/|~|[A-Za-z]:[\\/]|\\\\)|\.\.[\\/]")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/=_\\-]{600,}")
_BINARIES: Final = frozenset(
    {".so", ".dll", ".dylib", ".pyd", ".exe", ".whl", ".jar", ".node", ".wasm", ".a", ".o", ".lib"}
    | {".sh", ".bat", ".cmd", ".ps1", ".egg", ".pyc", ".com", ".msi", ".app"}
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to look at; `line` is 0 where the whole file is meant."""

    sign: Sign
    file: str
    line: int = 0
    text: str = ""


def scan(tree: Path) -> tuple[Finding, ...]:
    """All findings in a tree, by file; of each kind in each file a few."""
    found: list[Finding] = []
    for name, path in files_of(tree):
        found += _of_file(name, path)
        if len(found) >= MOST_FINDINGS:
            break
    return tuple(found[:MOST_FINDINGS])


def scan_source(source: str, file: str = "") -> list[Finding]:
    """The findings in Python code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their escapes, not of ours
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [Finding(sign=Sign.UNREADABLE, file=file, text=str(error)[:SHOWN_SIGNS])]
    lines, names = source.splitlines(), _aliases(tree)
    seen: set[tuple[Sign, int]] = set()
    found = []
    for node in ast.walk(tree):
        for sign in _of_node(node, names):
            at = getattr(node, "lineno", 0)
            if (sign, at) not in seen:
                seen.add((sign, at))
                text = lines[at - 1].strip()[:SHOWN_SIGNS] if 0 < at <= len(lines) else ""
                found.append(Finding(sign=sign, file=file, line=at, text=text))
    return sorted(found, key=lambda finding: finding.line)


def _of_file(name: str, path: Path) -> Iterator[Finding]:
    suffix, last = path.suffix.lower(), name.rpartition("/")[2]
    if suffix == ".py":
        if last in ("install.py", "preload.py"):
            yield Finding(sign=Sign(last[:-3]), file=name)
        yield from _of_python(name, path)
    elif suffix in (".js", ".mjs"):
        if not name.startswith(("node_modules/", "docs/", "tests/")):
            yield Finding(sign=Sign.JAVASCRIPT, file=name)
    elif suffix == ".css":
        yield Finding(sign=Sign.CSS, file=name)
    elif suffix == ".pth" and _is_text(path):
        yield Finding(sign=Sign.PTH, file=name, text=_start(path))
    elif suffix in _BINARIES or _is_program(path):
        yield Finding(sign=Sign.BINARY, file=name)


def _of_python(name: str, path: Path) -> list[Finding]:
    if path.stat().st_size > MOST_SOURCE_BYTES:
        return [Finding(sign=Sign.UNREADABLE, file=name, text="It is too long to be read.")]
    return scan_source(path.read_bytes().decode("utf-8-sig", "replace"), name)


def _aliases(tree: ast.AST) -> dict[str, str]:
    """What imported names stand for: {"sp": "subprocess"}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                names[each.asname or each.name] = f"{node.module}.{each.name}"
    return names


def _of_node(node: ast.AST, names: Mapping[str, str]) -> Iterator[Sign]:
    if isinstance(node, ast.Call):
        called = _dotted(node.func, names)
        yield from (sign for sign, pattern in _CALL_PATTERNS if pattern.fullmatch(called))
        if _WRITES.fullmatch(called) and _leads_outside(node):
            yield Sign.WRITE
        if any(word.arg == "allow_pickle" and _is_true(word.value) for word in node.keywords):
            yield Sign.PICKLE
        if called == "getattr" and len(node.args) > 1 and _dotted(node.args[0], names) in _HIDING:
            yield Sign.CODE
    elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if len(text) > LONGEST_LITERAL and _BLOB.search(text):
            yield Sign.BLOB


_HIDING: Final = frozenset({"os", "subprocess", "builtins", "__builtins__", "sys", "importlib"})


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    """A call's name with its imports resolved: "subprocess.run"; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def _leads_outside(call: ast.Call) -> bool:
    """Whether a path that is written out leads out of the extension's folder."""
    texts = [a.value for a in call.args[:2] if isinstance(a, ast.Constant)]
    is_reading = _is_open(call) and not _mode(call).strip("rbt") and "+" not in _mode(call)
    return not is_reading and any(isinstance(t, str) and _OUTSIDE.search(t) for t in texts)


def _is_open(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "open"


def _mode(call: ast.Call) -> str:
    given = [word.value for word in call.keywords if word.arg == "mode"] or call.args[1:2]
    value = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
    return value if isinstance(value, str) else "w"


def _is_true(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_text(path: Path) -> bool:
    """Whether a .pth is Python's and no model's."""
    with path.open("rb") as file:
        return b"\0" not in file.read(1024)


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ\x90\0")


def _start(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SHOWN_SIGNS).decode("utf-8", "replace").strip()
