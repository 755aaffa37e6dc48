"""The program ends in the middle: at every write, rename and removal of an update in turn. The next
start finds the old state or the new one, never half of one, and an empty quarantine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installs.making import House, extension, make_house, wheel, written
from webui.extend.packages import use_packages
from webui.installs.installs import Confirmed
from webui.installs.source import Asked
from webui.installs.task import Task, TaskState
from webui.installs.trees import tree_hash

ROOT = Path(__file__).resolve().parents[2]
DYING = 9
pytestmark = pytest.mark.skipif(os.name == "nt", reason="ends as Unix does")

CHILD = """
import os, sys
from pathlib import Path
from tests.installs.making import make_house
from tests.installs.test_kill import change

root, at = Path(sys.argv[1]), int(sys.argv[2])
house = make_house(root / "house", links=root / "links")
count = 0
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.symlink"}

def hook(event, arguments):
    global count
    is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+")
    if event in WRITES or is_write:
        count += 1
        if count == at:
            os._exit(9)

if sys.argv[3] == "whole":
    sys.addaudithook(hook)
task = change(house)
if sys.argv[3] != "whole":
    sys.addaudithook(hook)
house.confirm(task)
house.installs.close()
"""
MANIFEST = 'id = "film-dust"\nname = "Film dust"\n'


def change(house: House) -> Task:
    """An update, examined and waiting for the owner's yes."""
    task = house.installs.wait(house.installs.begin_update("film-dust").id)
    assert task.state is TaskState.REVIEW, task.note
    return house.examine(task)


def prepare(root: Path) -> Path:
    """A house with an extension from a folder, which has become another since."""
    links = root / "links"
    for version in ("1.0", "2.0"):
        wheel(links, "gesso-test-lark", version)
    source = root / "source"
    house = make_house(root / "house", links=links)
    old = MANIFEST + 'dependencies = ["gesso-test-lark<2"]\n'
    written(source, extension({"old.txt": "old", "word.txt": "old"}, old))
    task = house.installs.wait(house.installs.begin(Asked(address=str(source))).id)
    task = house.examine(task)
    assert task.review is not None
    yes = Confirmed(fingerprint=task.review.fingerprint)
    done = house.installs.wait(house.installs.confirm(task.id, yes).id)
    assert done.state is TaskState.DONE, done.note
    house.installs.close()
    new = MANIFEST + 'dependencies = ["gesso-test-lark"]\n'
    (source / "old.txt").unlink()
    written(source, extension({"new.txt": "new", "word.txt": "new"}, new))
    return source


def end_at(root: Path, at: int, part: str) -> int:
    """Run the update in a process that ends at its n-th change of the disk: of the "whole" way, or
    of putting it in place."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(root), str(at), part],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode in (0, DYING), done.stderr
    return done.returncode


def check_whole(root: Path, source: Path) -> bool:
    """Whether the new state is there; fails unless one of the two is, whole."""
    house = make_house(root / "house", links=root / "links")
    entry = house.installs.lock.get("film-dust")
    present = house.extensions / "film-dust"
    assert [path.name for path in house.extensions.iterdir()] == ["film-dust"]
    assert not house.quarantine.exists()
    assert not (root / "house" / "data" / "installs" / "change.json").exists()
    is_new = (present / "word.txt").read_text() == "new"
    assert (present / "new.txt").exists() is is_new
    assert (present / "old.txt").exists() is not is_new
    assert (tree_hash(present) == tree_hash(source)) is is_new
    assert entry.now.tree_sha256 == tree_hash(present)
    folder = use_packages()
    assert folder is not None
    version = (folder / "gesso_test_lark" / "__init__.py").read_text()
    assert version == f"VERSION = {'2.0' if is_new else '1.0'!r}\n"
    if is_new:
        house.installs.rollback("film-dust")
        assert (present / "word.txt").read_text() == "old"
    house.installs.close()
    return is_new


ENDS = [("place", at) for at in range(1, 32)] + [("whole", at) for at in range(1, 120, 7)]
OFTEN = ("place", 7)


@pytest.mark.parametrize(
    ("part", "at"),
    [pytest.param(*end, marks=() if end == OFTEN else pytest.mark.slow) for end in ENDS],
)
def test_an_end_in_the_middle_leaves_a_whole_extension(
    tmp_path: Path, as_before: None, part: str, at: int
) -> None:
    source = prepare(tmp_path)
    code = end_at(tmp_path, at, part)
    assert check_whole(tmp_path, source) or code == DYING
