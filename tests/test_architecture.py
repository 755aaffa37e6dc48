"""The house rules that a machine can check: who imports whom, no globals, no blocking handlers."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("*.py"), *(ROOT / "webui").rglob("*.py")])
FOREIGN = ROOT / "webui" / "compat" / "root"
"""Modules that scripts written for another program import: state in modules is their interface."""
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 450


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def test_layers_hold() -> None:
    tool = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert tool, "import-linter is not installed"
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_web_process_never_imports_torch() -> None:
    code = (
        "import sys, webui.studio, webui.api.build, webui.gate.server, webui.ui.build, "
        "webui.engine.process; "
        "print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_global_statement() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Global)
    ]
    assert found == []


def test_no_mutable_module_constant() -> None:
    """A list, dict or set at module level is state in disguise (`__all__` is read by tools)."""
    mutable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if FOREIGN not in path.parents
        for node in _tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, mutable)
        and "__all__" not in ast.unparse(node)
    ]
    assert found == []


def test_async_functions_await() -> None:
    """An async handler that never awaits runs its blocking work on the event loop."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
    found = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in SOURCES
        for function in _functions(_tree(path))
        if isinstance(function, ast.AsyncFunctionDef)
        and not any(isinstance(node, waits) for node in ast.walk(function))
    ]
    assert found == []


BLOCKING = re.compile(
    r"(^|[._])studio(\(\w*\))?\.(?!bus\b)|\.(read|write)_(bytes|text)$|\.read$|^open$|^time\.sleep$|^Image\.open$"
)
"""Calls that wait for a disk, a lock or a thread: all of the studio but its bus of events."""


def _own_calls(function: ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    """The calls that a function makes itself, not those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def test_async_functions_of_the_server_call_nothing_that_blocks() -> None:
    """Such calls go to a thread: `await run_in_threadpool(studio.jobs.get, id)`."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno} {ast.unparse(call.func)}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[:2] in (("webui", "api"), ("webui", "gate"))
        for function in ast.walk(_tree(path))
        if isinstance(function, ast.AsyncFunctionDef)
        for call in _own_calls(function)
        if BLOCKING.search(ast.unparse(call.func))
    ]
    assert found == []


def test_functions_and_files_stay_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in SOURCES
        for function in _functions(_tree(path))
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    ]
    big = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.read_text("utf-8").count("\n") > MAX_FILE_LINES
    ]
    assert (long, big) == ([], [])


def _public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """What a module offers to others: its public names, and those of its public classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    for scope in (tree, *classes):
        for node in scope.body:
            if isinstance(node, kinds) and not node.name.startswith("_"):
                yield node


def test_every_public_thing_has_a_docstring() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in _public(_tree(path))
        if not ast.get_docstring(node)
    ]
    assert found == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later(word: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in SOURCES if word in path.read_text("utf-8")]
    assert found == []
