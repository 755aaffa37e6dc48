"""Which packages an extension for AUTOMATIC1111 wants, read from its install.py and the files
beside it. Nothing of it is run."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

MOST_TEXT_BYTES: Final = 2**20
_TAKES_VALUE: Final = frozenset(
    {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--prefer-binary-of"}
    | {"-c", "--constraint", "--platform", "--python-version", "-t", "--target", "--no-binary"}
)
_PIP: Final = re.compile(r"\bpip3?(?:\.exe)?\b[\"']?\s+install\s+(.+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`requirements` as pip writes them; `unread` says what could not be told without running."""

    requirements: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def read_wanted(folder: Path) -> Wanted:
    """What an extension without a manifest wants."""
    texts: list[str] = []
    unread: list[str] = []
    script = folder / "install.py"
    if script.is_file():
        texts, unread = _from_script(_read(script))
    for name in _requirement_files(folder, texts):
        texts += read_requirements(_read(folder / name))
    texts += _from_project(folder / "pyproject.toml")
    good, bad = _sorted_out([text for text in texts if not text.startswith("-r ")])
    return Wanted(requirements=tuple(good), unread=tuple(dict.fromkeys([*unread, *bad])))


def read_requirements(text: str) -> list[str]:
    """The requirements in a requirements.txt, without its options."""
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    cleaned = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    kept = [line for line in cleaned if line and not line.startswith("-")]
    return [re.sub(r"\s--\S+.*", "", line) for line in kept]


def _requirement_files(folder: Path, texts: Sequence[str]) -> list[str]:
    named = [text[3:] for text in texts if text.startswith("-r ")]
    names = dict.fromkeys(["requirements.txt", *named])
    root = folder.resolve()
    return [
        name
        for name in names
        if (folder / name).is_file() and (folder / name).resolve().is_relative_to(root)
    ]


def _from_project(path: Path) -> list[str]:
    """The dependencies of a pyproject.toml that describes a package."""
    if not path.is_file():
        return []
    try:
        listed = tomllib.loads(_read(path)).get("project", {}).get("dependencies", [])
    except (tomllib.TOMLDecodeError, AttributeError):
        return []
    return [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []


def _from_script(source: str) -> tuple[list[str], list[str]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        return [], [f"install.py can't be read: {error}"]
    constants = _constants(tree)
    texts: list[str] = []
    unread: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        known, given = _asks_pip(node, constants)
        if known and given is None:
            unread.append(f"install.py line {node.lineno}: {ast.unparse(node)[:150]}")
        elif given:
            texts += _arguments(given)
    texts += [f"-r {name}" for name in _named_files(tree)]
    return texts, unread


def _asks_pip(call: ast.Call, constants: Mapping[str, str]) -> tuple[bool, str | None]:
    """Whether a call runs pip, and what follows "install"; None when it can't be told."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if name == "run_pip":
        text = _text(first, constants)
        return True, None if text is None else re.sub(r"^\s*install\s+", "", text)
    if name == "run_pip_install" or name == "pip_install":
        return True, _text(first, constants)
    if isinstance(first, ast.List | ast.Tuple):
        words = [_text(part, constants) for part in first.elts]
        if "install" in words and any(word and re.fullmatch(r"pip3?", word) for word in words):
            rest = words[words.index("install") + 1 :]
            return True, None if None in rest else " ".join(shlex.quote(w) for w in rest if w)
        return False, None
    text = _text(first, constants) or ""
    found = _PIP.search(text)
    return (True, found[1]) if found else (False, "")


def _text(node: ast.AST | None, constants: Mapping[str, str]) -> str | None:
    """The text that an expression stands for, as far as it is written out."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.JoinedStr):
        return _joined(node, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, constants), _text(node.right, constants)
        return None if left is None or right is None else left + right
    return None


def _joined(node: ast.JoinedStr, constants: Mapping[str, str]) -> str | None:
    """An f-string; an unknown Python program at its start does no harm."""
    parts = [_text(part, constants) for part in node.values]
    known = [part or "" for part in parts]
    is_command = _PIP.search("".join(known)) is not None
    behind = parts[next((i for i, p in enumerate(parts) if p and "install" in p), 0) :]
    if None in behind or (None in parts and not is_command):
        return None
    return "".join(known)


def _constants(tree: ast.AST) -> dict[str, str]:
    """Names that are given one text, once."""
    found: dict[str, list[str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(_text(node.value, {}))
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(None)
    return {name: texts[0] for name, texts in found.items() if len(texts) == 1 and texts[0]}


def _named_files(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.strip().replace("\\", "/")
            if re.fullmatch(r"[\w./-]*require[\w.-]*\.txt", name) and ".." not in name:
                yield name.removeprefix("./").lstrip("/")


def _arguments(text: str) -> Iterator[str]:
    """The requirements, and "-r file", among pip's arguments."""
    try:
        words = iter(shlex.split(text))
    except ValueError:
        words = iter(text.split())
    for word in words:
        if word in ("-r", "--requirement"):
            yield f"-r {next(words, '')}"
        elif word in _TAKES_VALUE:
            next(words, "")
        elif not word.startswith("-") and word not in ("pip", "wheel", "setuptools"):
            yield word


def _sorted_out(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Requirements that can be read, each once, and what can't be taken from the index of
    packages."""
    good: dict[str, None] = {}
    bad: list[str] = []
    for text in texts:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            bad.append(f"“{text[:150]}” is no package of the index")
            continue
        if wanted.url:
            bad.append(f"“{text[:150]}” names an address; only the index of packages is used")
        elif wanted.marker is None or wanted.marker.evaluate():
            good.setdefault(str(wanted))
    return list(good), bad


def read_arguments(folder: Path, words: Sequence[str]) -> list[str]:
    """The requirements in the arguments of "pip install", files of them in `folder` included.
    Raises ValueError for what the index of packages doesn't have."""
    texts = list(_arguments(shlex.join(words)))
    for name in _requirement_files(folder, [t for t in texts if t.startswith("-r ")])[:]:
        if f"-r {name}" in texts:
            texts += read_requirements(_read(folder / name))
    good, bad = _sorted_out([text for text in texts if not text.startswith("-r ")])
    if bad:
        raise ValueError(bad[0])
    return good


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_TEXT_BYTES).decode("utf-8-sig", "replace")
