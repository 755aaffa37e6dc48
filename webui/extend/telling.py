"""What a Python file is, told from its text: nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

OURS: Final = "webui.extend"
A1111_BASES: Final = ("Script", "ScriptPostprocessing", "ScriptBuiltinUI")
TORCH: Final = "torch"
A1111_PACKAGE: Final = "modules"
MOST_BYTES: Final = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Told:
    """`hooks`: functions marked with our decorator, each with its arguments. `fault` is why the
    file can't be read, empty when it can."""

    is_ours: bool = False
    is_a1111: bool = False
    hooks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    torch: int = 0
    """The line where torch is imported with the file; 0 for nowhere, or within functions."""
    first_line: str = ""
    """Of its docstring."""
    fault: str = ""


def told(path: Path) -> Told:
    """What the file at `path` is."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return Told(fault=f"{path.name} is larger than {MOST_BYTES // 10**6} MB")
        return _read(path.read_bytes(), path.name)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Told(fault=f"{path.name} can't be read: {error}")


@lru_cache(maxsize=64)
def _read(source: bytes, name: str) -> Told:
    tree = ast.parse(source, filename=name)
    imports = set(_imports(tree))
    return Told(
        is_ours=any(name == OURS or name.startswith(f"{OURS}.") for name in imports),
        is_a1111=_has_script(tree) or any(name.split(".")[0] == A1111_PACKAGE for name in imports),
        hooks=tuple(_hooks(tree)),
        torch=_torch_line(tree),
        first_line=(ast.get_docstring(tree) or "").partition("\n")[0],
    )


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _has_script(tree: ast.Module) -> bool:
    bases = (
        base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases
    )
    return any(_last_name(base) in A1111_BASES for base in bases)


def _hooks(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(map(_is_hook, node.decorator_list)):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            yield node.name, tuple(argument.arg for argument in arguments)


def _is_hook(decorator: ast.expr) -> bool:
    return _last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) == "hook"


def _torch_line(tree: ast.Module) -> int:
    lines = (
        node.lineno
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else _names(node))
        if name.partition(".")[0] == TORCH
    )
    return next(lines, 0)


def _names(node: ast.Import) -> list[str]:
    return [name.name for name in node.names]


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
