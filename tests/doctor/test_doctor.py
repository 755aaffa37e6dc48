"""The doctor's verdicts, on small extensions that work, work in part, or can't be used."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from webui.doctor.examine import Limits, examine
from webui.doctor.table import as_table
from webui.doctor.verdict import Grade, Step, Verdict

FAKE = Limits(engine="fake", seconds=60)


def extension(folder: Path, code: str, manifest: str = "") -> Path:
    folder.mkdir()
    (folder / "extension.toml").write_text(manifest or 'id = "it"\nname = "It"\n')
    (folder / "__init__.py").write_text(dedent(code))
    return folder


@pytest.mark.slow
def test_one_that_works(tmp_path: Path) -> None:
    found = examine(
        extension(
            tmp_path / "it",
            """
            from webui.extend import Toggle, hook

            INPUTS = [Toggle("enabled", "On")]

            @hook
            def image_post(item):
                return item.image.rotate(90)
            """,
        ),
        FAKE,
    )
    assert found.grade is Grade.WORKS, found.failed
    assert {"txt2img job", "txt2img job, on", "inpaint job, on"} <= {s.name for s in found.steps}


@pytest.mark.slow
def test_a_hook_that_raises_is_named_and_the_rest_is_tried(tmp_path: Path) -> None:
    found = examine(
        extension(
            tmp_path / "it",
            """
            from webui.extend import Toggle, hook

            INPUTS = [Toggle("enabled", "On")]

            @hook
            def image_post(item):
                raise RuntimeError("no luck")
            """,
        ),
        FAKE,
    )
    assert found.grade is Grade.PARTLY
    assert found.failed[0].name == "txt2img job, on"
    assert "image_post: RuntimeError: no luck" in found.sentence
    assert "no luck" in found.failed[0].trace


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('bye')", "bye"),
        ("import os; os._exit(4)", "ended without a word"),
        ("from webui.extend import hook\n@hook\ndef image_pots(item): pass", "image_post"),
    ],
)
def test_code_that_can_not_be_loaded(tmp_path: Path, code: str, words: str) -> None:
    found = examine(extension(tmp_path / "it", code), FAKE)
    assert found.grade is Grade.CANNOT
    assert words in found.sentence


def test_a_folder_that_is_no_extension(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    found = examine(tmp_path / "it", FAKE)
    assert found.grade is Grade.CANNOT
    assert "no extension" in found.sentence


@pytest.mark.slow
def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    folder = extension(
        tmp_path / "it",
        f"""
        import subprocess, sys, threading
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(mark)!r}, "w").write(str(child.pid))
        threading.Event().wait()
        """,
    )
    found = examine(folder, Limits(engine="fake", seconds=8))
    assert found.grade is Grade.CANNOT
    assert "within 8 seconds" in found.sentence
    assert not _is_running(int(mark.read_text()))


@pytest.mark.slow
def test_one_that_takes_all_memory_is_ended(tmp_path: Path) -> None:
    folder = extension(tmp_path / "it", "hoard = [bytearray(2**20) for _ in range(3000)]\n"
                       "import threading; threading.Event().wait()")  # fmt: skip
    found = examine(folder, Limits(engine="fake", seconds=60, bytes=2**30))
    assert "more than 1.0 GiB" in found.sentence


@pytest.mark.slow
def test_what_it_writes_beside_itself_is_thrown_away(tmp_path: Path) -> None:
    folder = extension(
        tmp_path / "it",
        """
        from pathlib import Path
        from webui.extend import hook

        (Path(__file__).parent / "left.txt").write_text("here")

        @hook
        def image_post(item):
            return None
        """,
    )
    assert examine(folder, FAKE).grade is Grade.WORKS
    assert sorted(each.name for each in folder.iterdir()) == ["__init__.py", "extension.toml"]


def test_the_table_has_a_line_each_and_the_sums() -> None:
    good = Verdict(extension="one", kind="native", steps=(Step(name="load"),))
    bad = Verdict(extension="two", kind="a1111", steps=(Step(name="load", error="no ldm"),))
    lines = as_table([good, bad]).splitlines()
    assert lines[0].startswith("one  works")
    assert lines[1].endswith("Can't be used: no ldm")
    assert lines[-1] == "2 examined: 1 works, 1 cannot."


def _is_running(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
