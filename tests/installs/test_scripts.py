"""install.py of old extensions: read without being run; run only on consent, with our resolver in
pip's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installs.making import House, wheel, written, zipped
from webui.installs.install_script import read_wanted
from webui.installs.task import TaskState

LAUNCH = "import launch\n"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ('launch.run_pip("install lark", "lark")', ["lark"]),
        ('launch.run_pip("install lark==1.0 leaf>=2", "both")', ["lark==1.0", "leaf>=2"]),
        ('launch.run_pip("install -U --prefer-binary lark", "x")', ["lark"]),
        ('launch.run_pip(f"install {NAME}==1", "x")\nNAME = "lark"', ["lark==1"]),
        ('launch.run_pip("install --index-url https://x.example lark", "x")', ["lark"]),
        ('for dep in ["lark", "leaf"]:\n    launch.run_pip(f"install {dep}")', ["lark", "leaf"]),
        ('NEEDS = ("lark", "leaf")\nfor n in NEEDS:\n    launch.run_pip("install " + n)',
         ["lark", "leaf"]),
        ('subprocess.run([sys.executable, "-m", "pip", "install", "lark"])', ["lark"]),
        ('os.system("pip install lark")', ["lark"]),
        ('launch.run(f\'"{launch.python}" -m pip install lark\', "x")', ["lark"]),
        ('from launch import run_pip\nrun_pip("install lark", live=True)', ["lark"]),
        ('launch.run_pip("install asyncio lark", "the first is Python\'s own")', ["lark"]),
    ],
)  # fmt: skip
def test_what_it_would_install_is_read(tmp_path: Path, script: str, wanted: list[str]) -> None:
    folder = written(tmp_path, {"install.py": LAUNCH + script + "\n"})
    assert sorted(read_wanted(folder).requirements) == sorted(wanted)
    assert read_wanted(folder).unread == ()


def test_files_of_requirements_are_read(tmp_path: Path) -> None:
    files = {
        "install.py": 'launch.run_pip("install -r requirements/extra-requirements.txt", "x")',
        "requirements.txt": "lark>=1 # words\n-r more.txt\n--no-deps\nleaf \\\n  ==2\n\n",
        "requirements/extra-requirements.txt": "twig; python_version > '3'\nno; os_name == 'x'\n",
        "pyproject.toml": '[project]\nname = "x"\ndependencies = ["bark"]\n',
    }
    assert set(read_wanted(written(tmp_path, files)).requirements) == {
        "lark>=1", "leaf==2", 'twig; python_version > "3"', "bark",
    }  # fmt: skip


@pytest.mark.parametrize(
    "script",
    [
        "launch.run_pip(f'install {choose()}', 'x')",
        "launch.run_pip(command)",
        'launch.run_pip("install git+https://github.com/a/b")',
        'launch.run_pip("install lark @ https://example.org/lark-1-py3-none-any.whl")',
        "this is no Python",
    ],
)
def test_what_can_not_be_told_is_said(tmp_path: Path, script: str) -> None:
    wanted = read_wanted(written(tmp_path, {"install.py": script}))
    assert wanted.requirements == ()
    assert len(wanted.unread) >= 1


def old(script: str) -> bytes:
    files = {"scripts/a.py": "from modules import scripts\n", "install.py": script}
    return zipped(files, around="Old/")


def test_it_is_not_run_by_itself(house: House, links: Path, tmp_path: Path) -> None:
    wheel(links, "lark", "1.0")
    script = f"open({str(tmp_path / 'ran')!r}, 'w')\nimport launch\nlaunch.run_pip('install lark')"
    task = house.upload(old(script))
    assert task.review is not None
    assert task.review.install_script == script
    entry = house.installed(task)
    assert entry.now.needs.requirements == ("lark",)
    assert not (tmp_path / "ran").exists()


RUN = """
import launch
print("asking")
assert launch.is_installed("pytest")
if not launch.is_installed("gesso-test-asked"):
    launch.run_pip("install gesso-test-asked", "it")
assert launch.is_installed("gesso-test-asked")
import gesso_test_asked
open("made.txt", "w").write(gesso_test_asked.VERSION)
"""


def test_on_consent_it_runs_with_our_resolver(house: House, links: Path) -> None:
    wheel(links, "gesso-test-asked", "1.5")
    task = house.examine(house.upload(old(RUN)), runs_script=True)
    assert task.state is TaskState.EXAMINED, task.note
    assert "asking" in task.script_output
    assert task.packages == ("gesso-test-asked==1.5",)
    done = house.confirm(task)
    assert done.state is TaskState.DONE, done.note
    assert (house.extensions / "film-dust" / "made.txt").read_text() == "1.5"


def test_what_it_asks_against_the_program_fails_there(house: House) -> None:
    task = house.upload(old("import launch\nlaunch.run_pip('install ' + 'numpy<2'.strip())"))
    task = house.examine(task, runs_script=True, left_out=())
    assert task.state is TaskState.REVIEW
    assert "numpy<2" in task.note


def test_one_that_fails_is_told(house: House) -> None:
    task = house.examine(house.upload(old("raise SystemExit('no luck')")), runs_script=True)
    assert (task.state, "no luck" in task.note) == (TaskState.REVIEW, True)
