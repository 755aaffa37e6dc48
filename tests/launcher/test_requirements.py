"""The requirements files fit the program, and the launcher needs none of them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.launcher.conftest import ROOT
from webui.launcher.installed import normalize, read_pins
from webui.launcher.plan import TORCH

OWN_NAMES = {
    "PIL": "pillow",
    "argon2": "argon2-cffi",
    "importlinter": "import-linter",
    "yaml": "pyyaml",
}
LEFT_OUT = ("torch", "torchvision", "xformers", "peft", "spandrel", "compel")


def pins(name: str) -> dict[str, str]:
    return read_pins((ROOT / name).read_text("utf-8"))


def imports(paths: Iterator[Path]) -> set[str]:
    """Names of the top-level modules that files import, wherever in the file."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names)


def test_everything_is_pinned_exactly() -> None:
    for name in (
        "requirements.txt",
        "requirements-bare.txt",
        "requirements-test.txt",
        "constraints.txt",
    ):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        wanted = [line for line in lines if line and not line.startswith("#")]
        assert len(pins(name)) == len(wanted), name


def test_constraints_agree_with_requirements() -> None:
    required = pins("requirements.txt") | pins("requirements-test.txt")
    constraints = pins("constraints.txt")
    assert {name: constraints.get(name) for name in required} == required


def test_pytorch_and_what_brings_another_one_are_left_out() -> None:
    everything = pins("requirements.txt") | pins("requirements-test.txt") | pins("constraints.txt")
    assert [name for name in LEFT_OUT if name in everything] == []


def test_all_that_a_bare_requirement_asks_for_is_required_but_torchvision() -> None:
    for name, version in pins("requirements-bare.txt").items():
        assert metadata.version(name) == version
        asked = {re.split(r"[^\w.-]", line)[0] for line in metadata.requires(name) or []}
        needed = {normalize(each) for each in asked} - {"torch", "torchvision"}
        assert needed - pins("constraints.txt").keys() == set()


def test_what_the_program_imports_is_required() -> None:
    apart = (
        ROOT / "webui" / "compat" / "root",  # imports itself, under A1111's names
        ROOT / "webui" / "compat" / "stand_ins",  # in place of packages that are not there
        ROOT / "webui" / "doctor" / "pytest_plugin.py",  # loaded by pytest only
    )
    files = (f for f in (ROOT / "webui").rglob("*.py") if not any(map(f.is_relative_to, apart)))
    program = imports(iter([ROOT / "app.py", *files]))
    required = {*pins("requirements.txt"), *pins("requirements-bare.txt"), "torch", "webui", "app"}
    required.add("triton")  # comes with PyTorch where there is a GPU for it
    assert {normalize(OWN_NAMES.get(name, name)) for name in program} - required == set()


def test_what_the_tests_import_is_required() -> None:
    old = ROOT / "tests" / "compat" / "extensions"  # written against A1111's names
    files = (file for file in (ROOT / "tests").rglob("*.py") if not file.is_relative_to(old))
    tests = imports(files)
    required = {*pins("requirements.txt"), *pins("requirements-test.txt")}
    required |= {"torch", "webui", "app", "tests", "launch", "benchmarks"}
    assert {normalize(OWN_NAMES.get(name, name)) for name in tests} - required == set()


def test_launcher_needs_the_standard_library_only() -> None:
    found = imports(iter([ROOT / "launch.py", *(ROOT / "webui" / "launcher").glob("*.py")]))
    assert found == {"webui"}


def test_launcher_knows_nothing_else_of_the_program() -> None:
    modules = {
        node.module
        for path in [ROOT / "launch.py", *(ROOT / "webui" / "launcher").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("webui")
    }
    assert {name for name in modules if not str(name).startswith("webui.launcher")} == set()


def test_release_of_pytorch_has_wheels_for_all_pythons_we_name() -> None:
    assert TORCH == "2.13.0", "look at the tables of webui/launcher/plan.py, then change this"
