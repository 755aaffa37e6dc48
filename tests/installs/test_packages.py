"""Packages that extensions need: resolved together, beside the program's own, which never move."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installs.making import House, extension, make_house, wheel, written, zipped
from webui.extend.packages import use_packages
from webui.extend.worker.environment import NEEDED, python_of
from webui.installs.known_bad import BadPackage, KnownBad
from webui.installs.packages.conflict import WayOut
from webui.installs.packages.host import read_host
from webui.installs.task import Task, TaskState


def wanting(*requirements: str, id: str = "film-dust", optional: str = "") -> bytes:
    """The zip of an extension that needs packages."""
    manifest = f'id = "{id}"\nname = "{id.replace("-", " ").title()}"\n'
    manifest += f"dependencies = {json.dumps(requirements)}\n{optional}"
    return zipped(extension(manifest=manifest))


def old_script(files: dict[str, str]) -> bytes:
    """The zip of an extension for AUTOMATIC1111."""
    return zipped({"scripts/a.py": "from modules import scripts\n", **files}, around="Old/")


def modules_of(house: House) -> list[str]:
    """Names of the modules in the set of packages in use."""
    folder = use_packages()
    return sorted(path.stem for path in folder.glob("*/__init__.py")) if folder else []


def in_use(house: House) -> list[str]:
    folder = use_packages()
    if folder is None:
        return []
    return sorted(path.name for path in folder.iterdir() if (path / "__init__.py").exists())


def test_packages_come_after_the_programs_own(house: House, links: Path) -> None:
    wheel(links, "gesso-test-lark", "1.2", ["gesso-test-leaf>=1"])
    wheel(links, "gesso-test-leaf", "1.0")
    task = house.examine(house.upload(wanting("gesso-test-lark")))
    assert task.packages == ("gesso-test-lark==1.2", "gesso-test-leaf==1.0")
    assert task.verdict is not None
    assert "gesso_test_lark" in task.verdict.notes
    assert in_use(house) == []
    house.confirm(task)
    assert in_use(house) == ["gesso_test_lark", "gesso_test_leaf"]
    assert sys.path[-1] == str(use_packages())
    assert importlib.import_module("gesso_test_lark").VERSION == "1.2"


def test_the_programs_own_packages_stay(house: House, links: Path) -> None:
    wheel(links, "numpy", "2.9.9")
    wheel(links, "needs-numpy", "1.0", ["numpy>=2"])
    entry = house.installed(house.upload(wanting("needs-numpy", "pillow")))
    assert entry.now.needs.requirements == ("needs-numpy", "pillow")
    assert in_use(house) == ["needs_numpy"]


def conflict_of(task: Task) -> tuple[str, list[tuple[WayOut, str]]]:
    assert task.state is TaskState.REVIEW
    assert task.conflict is not None, task.note
    return task.conflict.sentence, [(way.way, way.subject) for way in task.conflict.ways]


def test_a_wish_against_the_program_is_told_in_one_sentence(house: House) -> None:
    task = house.examine(house.upload(wanting("numpy<2")))
    sentence, ways = conflict_of(task)
    assert sentence.startswith(
        "“Film Dust” and Gesso can't agree: it needs numpy<2, Gesso has numpy 2.4.6 and keeps it."
    )
    assert ways == [
        (WayOut.LEAVE_OUT, "numpy"),
        (WayOut.WORKER, ""),
        (WayOut.LEAVE_OFF, "film-dust"),
    ]
    assert in_use(house) == []
    assert house.installed(task, left_out=("numpy",)).now.needs.left_out == ("numpy",)


def test_an_extra_that_does_not_go_can_be_left_out(house: House, links: Path) -> None:
    parts = ['transformers<5; extra == "magic"', 'leaf; extra == "plain"']
    wheel(links, "prompts", "0.31", parts)
    wheel(links, "leaf", "1.0")
    task = house.upload(old_script({"requirements.txt": "prompts[magic,plain]~=0.31  # both\n"}))
    sentence, ways = conflict_of(house.examine(task))
    assert "needs transformers<5, Gesso has transformers 5.23.0" in sentence
    assert ways[0] == (WayOut.LEAVE_OUT, "prompts[magic]")
    assert (WayOut.WORKER, "") not in ways
    done = house.examine(task, left_out=["prompts[magic]"])
    assert done.packages == ("leaf==1.0", "prompts==0.31")


def test_two_extensions_that_do_not_go_together_are_both_named(house: House, links: Path) -> None:
    for version in ("1.0", "2.0"):
        wheel(links, "lark", version)
    house.installed(house.upload(wanting("lark<2", id="first-one")))
    sentence, ways = conflict_of(house.examine(house.upload(wanting("lark>=2", id="second-one"))))
    assert sentence.startswith("“Second One” and “First One” can't agree:")
    assert "lark<2" in sentence
    assert "lark>=2" in sentence
    assert (WayOut.LEAVE_OFF, "first-one") in ways
    assert in_use(house) == ["lark"]


def test_all_extensions_get_one_version(house: House, links: Path) -> None:
    for version in ("1.0", "2.0"):
        wheel(links, "gesso-test-one", version)
    house.installed(house.upload(wanting("gesso-test-one", id="first-one")))
    before = use_packages()
    house.installed(house.upload(wanting("gesso-test-one<2", id="second-one")))
    assert use_packages() != before
    assert importlib.import_module("gesso_test_one").VERSION == "1.0"
    assert str(before) not in sys.path


@pytest.mark.parametrize("wish", ["nowhere", "lark>=9", "lark==1.0; python_version < '3'"])
def test_what_can_not_be_had_is_told(house: House, links: Path, wish: str) -> None:
    wheel(links, "lark", "1.0")
    task = house.examine(house.upload(wanting(wish)))
    if "python_version" in wish:
        assert task.packages == ()
    else:
        assert wish.partition(">")[0] in conflict_of(task)[0]


def test_an_optional_group_is_had_only_if_it_is_wished(house: House, links: Path) -> None:
    wheel(links, "lark", "1.0")
    wheel(links, "leaf", "1.0")
    task = house.upload(wanting("lark", optional='[optional]\nmore = ["leaf"]\n'))
    assert house.examine(task).packages == ("lark==1.0",)
    assert house.examine(task, groups=("more",)).packages == ("lark==1.0", "leaf==1.0")


def test_what_python_would_run_at_its_start_is_taken_out(house: House, links: Path) -> None:
    evil = "import pathlib; pathlib.Path('ran').touch()\n"
    files = {"evil.pth": evil, "sitecustomize.py": evil, "evil/__init__.py": ""}
    wheel(links, "evil", "1.0", files=files)
    house.installed(house.upload(wanting("evil")))
    folder = use_packages()
    assert folder is not None
    assert in_use(house) == ["evil"]
    assert not (folder / "evil.pth").exists()
    assert not (folder / "sitecustomize.py").exists()


def test_a_pth_in_the_folder_is_never_run(house: House, links: Path, tmp_path: Path) -> None:
    wheel(links, "lark", "1.0")
    house.installed(house.upload(wanting("lark")))
    folder = use_packages()
    assert folder is not None
    written(
        folder, {"evil.pth": f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()"}
    )
    code = "from webui.extend.packages import use_packages; use_packages(); import lark"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    assert not (tmp_path / "ran").exists()


def test_the_lock_names_hashes(house: House, links: Path) -> None:
    wheel(links, "lark", "1.0")
    first = house.examine(house.upload(wanting("lark")))
    assert first.state is TaskState.EXAMINED
    (folder,) = (house.root / "data" / "installs" / "packages").glob("set-*")
    lock = (folder / "gesso-packages.lock").read_text()
    assert lock.startswith("lark==1.0 \\\n    --hash=sha256:")


def test_known_bad_versions_are_passed_over(tmp_path: Path, links: Path, as_before: None) -> None:
    for version in ("1.0", "1.1"):
        wheel(links, "lark", version)
    bad = KnownBad(packages=(BadPackage(name="Lark", versions=("1.1",), reason="it steals."),))
    house = make_house(tmp_path / "wary", links=links, known_bad=bad)
    assert house.examine(house.upload(wanting("lark", id="one"))).packages == ("lark==1.0",)
    sentence, _ = conflict_of(house.examine(house.upload(wanting("lark==1.1", id="two"))))
    assert "lark" in sentence


def test_a_folder_in_use_that_turned_out_bad_is_told(
    tmp_path: Path, links: Path, as_before: None
) -> None:
    wheel(links, "lark", "1.0")
    house = make_house(tmp_path / "house", links=links)
    house.installed(house.upload(wanting("lark")))
    bad = KnownBad(packages=(BadPackage(name="lark", versions=("1.0",), reason="it steals."),))
    later = make_house(tmp_path / "house", links=links, known_bad=bad)
    assert later.installs.known_bad() == [
        ("", "The package lark 1.0 is known to do harm: it steals.")
    ]


def test_this_program_is_read_as_it_is() -> None:
    host = read_host()
    assert host.version("NumPy") is not None
    assert host.version("Pillow") == host.version("pillow")
    assert host.version("no-such-package") is None


def test_leniently_what_does_not_go_is_left_out_and_told(house: House, links: Path) -> None:
    wheel(links, "prompts", "0.31", ['transformers<5; extra == "magic"'])
    needs = "prompts[magic]\npillow==9.3.0\nnowhere==1\n"
    task = house.examine(house.upload(old_script({"requirements.txt": needs})), is_lenient=True)
    assert task.state is TaskState.EXAMINED, task.conflict
    assert set(task.choices.left_out) == {"prompts[magic]", "pillow", "nowhere"}
    assert task.note.startswith(
        "Left out: pillow==9.3.0 (Gesso has pillow 12.3.0); prompts[magic] ("
    )
    assert task.packages == ("prompts==0.31",)


LATE = """
import sys
from webui.extend.packages import use_packages
from webui.extend.worker.environment import NEEDED, python_of

use_packages()
print("here", flush=True)
sys.stdin.readline()
use_packages()
import gesso_test_late
print(gesso_test_late.VERSION, flush=True)
"""


def test_a_process_that_runs_already_finds_what_came_later(house: House, links: Path) -> None:
    """As an engine does, before it reads an extension's code."""
    wheel(links, "gesso-test-late", "1.0")
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", LATE],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    house.installed(house.upload(wanting("gesso-test-late")))
    assert child.communicate("\n")[0] == "1.0\n"


WORKER = 'id = "film-dust"\nname = "Film dust"\nrun = "worker"\ndependencies = ["numpy<2"]\n'


def test_a_worker_gets_packages_of_its_own(house: House, links: Path) -> None:
    wheel(links, "numpy", "1.26.4")
    for name in NEEDED:
        wheel(links, name.partition(">")[0], "2.99")
    task = house.examine(house.upload(zipped(extension(manifest=WORKER))))
    assert (task.state, task.packages) == (TaskState.EXAMINED, ()), (task.note, task.conflict)
    assert python_of("film-dust") is None
    house.confirm(task)
    python = python_of("film-dust")
    assert python is not None
    code = "import numpy; print(numpy.VERSION)"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1.26.4"
    assert in_use(house) == []
    house.installs.uninstall("film-dust")
    assert python_of("film-dust") is None
