"""Which packages an extension for AUTOMATIC1111 wants, read from its install.py and the files
beside it. Nothing of it is run."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

MOST_TEXT_BYTES: Final = 2**20
MOST_TEXTS: Final = 200
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
    known = Known(tree)
    texts: list[str] = []
    unread: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        asked = _asked_of_pip(node, known)
        if asked is None:
            unread.append(f"install.py line {node.lineno}: {ast.unparse(node)[:150]}")
        for arguments in asked or ():
            texts += _arguments(arguments)
    texts += [f"-r {name}" for name in _named_files(tree)]
    return texts, unread


def _asked_of_pip(call: ast.Call, known: Known) -> list[str] | None:
    """What follows "install" where a call runs pip, empty for other calls; None when it can't be
    told."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if name in ("run_pip", "pip_install", "run_pip_install"):
        found = known.texts(first)
        return None if found is None else [re.sub(r"^\s*install\s+", "", text) for text in found]
    if isinstance(first, ast.List | ast.Tuple):
        return _asked_in_words(first.elts, known)
    commands = known.texts(first) or known.end_of(first)
    return [match[1] for text in commands if (match := _PIP.search(text))]


def _asked_in_words(nodes: Sequence[ast.expr], known: Known) -> list[str] | None:
    """The same for ["python", "-m", "pip", "install", ...]."""
    words = [known.texts(node) or [""] for node in nodes]
    at = next((i for i, each in enumerate(words) if each == ["install"]), None)
    if at is None or not any(re.fullmatch(r"pip3?", word) for each in words[:at] for word in each):
        return []
    if any(known.texts(node) is None for node in nodes[at + 1 :]):
        return None
    rows = itertools.islice(itertools.product(*words[at + 1 :]), MOST_TEXTS)
    return [shlex.join(row) for row in rows]


class Known:
    """What the names of a script stand for, as far as that is written out. A name may have
    several texts: one that runs through a list."""

    def __init__(self, tree: ast.AST) -> None:
        self._texts: Final[dict[str, list[str] | None]] = {}
        self._lists: Final[dict[str, ast.expr]] = {}
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                self._assigned(node.targets[0], node.value)
        for node in nodes:
            if isinstance(node, ast.For | ast.comprehension):
                self._looped(node.target, node.iter)

    def texts(self, node: ast.AST | None) -> list[str] | None:
        """All texts that an expression may be; None when that can't be told."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self._texts.get(node.id)
        if isinstance(node, ast.FormattedValue):
            return self.texts(node.value)
        if isinstance(node, ast.JoinedStr):
            return _joined([self.texts(part) for part in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return _joined([self.texts(node.left), self.texts(node.right)])
        return None

    def end_of(self, node: ast.AST | None) -> list[str]:
        """The texts of an f-string whose beginning, the name of a program, is not known."""
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        known = list(
            itertools.takewhile(lambda part: part is not None, map(self.texts, parts[::-1]))
        )
        return _joined(known[::-1]) or []

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if not isinstance(target, ast.Name):
            return
        if isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict):
            self._lists[target.id] = value
        is_first = target.id not in self._texts
        self._texts[target.id] = self.texts(value) if is_first else None

    def _looped(self, target: ast.expr, over: ast.expr) -> None:
        is_items = isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute)
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute):
            over = over.func.value
        if isinstance(over, ast.Name):
            over = self._lists.get(over.id, over)
        keys = over.keys if isinstance(over, ast.Dict) else getattr(over, "elts", None)
        values = over.values if isinstance(over, ast.Dict) else None
        if isinstance(target, ast.Name):
            self._runs_through(target.id, keys)
        elif is_items and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            for name, listed in zip(target.elts, (keys, values), strict=True):
                if isinstance(name, ast.Name):
                    self._runs_through(name.id, listed)

    def _runs_through(self, name: str, nodes: Sequence[ast.AST | None] | None) -> None:
        found = [self.texts(node) for node in nodes or ()]
        if not found or None in found:
            self._texts[name] = None
            return
        self._texts[name] = [text for texts in found for text in texts or ()]


def _joined(parts: Sequence[list[str] | None]) -> list[str] | None:
    """All ways to put parts together, one text of each."""
    if not parts or None in parts:
        return None
    rows = itertools.product(*(part or [] for part in parts))
    return ["".join(row) for row in itertools.islice(rows, MOST_TEXTS)]


def _named_files(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.strip().replace("\\", "/")
            if re.fullmatch(r"[\w./-]*require[\w.-]*\.txt", name) and ".." not in name:
                yield name.removeprefix("./").lstrip("/")


def _arguments(text: str) -> Iterator[str]:
    """The requirements, and "-r file", among pip's arguments."""
    text = re.sub(r"\s*@\s*(?=\w+:)", "@", text)
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
        elif wanted.name.replace("-", "_") in sys.stdlib_module_names:
            continue  # Python has it
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
