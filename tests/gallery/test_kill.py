"""Kill -9 while saving, and two programs in one folder: nothing truncated, lost, or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.gallery.album import draw, open_gallery, read
from tests.gallery.victim import JOB
from webui.core.files import TEMP_PREFIX
from webui.gallery.gallery import Gallery
from webui.imaging.picture_text import read_picture_text

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks and kill -9 are POSIX")


def start_victim(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.gallery.victim", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def run_victim(*arguments: object) -> int:
    """The number that it prints."""
    victim = start_victim(*arguments)
    output, _ = victim.communicate(timeout=240)
    assert victim.returncode == 0
    return int(output)


def assert_sound(gallery: Gallery, root: Path) -> int:
    """Every file is a whole picture that is listed, once, and nothing else lies about.

    Gives the number of pictures.
    """
    files = [path for path in (root / "outputs").rglob("*") if path.is_file()]
    assert [path for path in files if path.name.startswith(TEMP_PREFIX)] == []
    listed = {picture.path: picture.index for picture in gallery.of_job(JOB.id)}
    assert set(files) == set(listed)
    for path, index in listed.items():
        assert read(path).tobytes() == draw(index).tobytes()
    assert max(Counter(listed.values()).values(), default=1) == 1
    return len(files)


def test_kill_at_every_file_event_of_a_save(tmp_path: Path) -> None:
    kills = run_victim("every", tmp_path)
    assert kills >= 5  # temp, link, unlink, folder sync, thumbnail: each was reached
    for number in range(1, kills + 1):
        root = tmp_path / str(number)
        gallery = open_gallery(root)
        assert_sound(gallery, root)
        gallery.save(JOB, 0, draw())
        assert assert_sound(gallery, root) == 1
        gallery.close()


def kill_and_look(root: Path, kills: int) -> None:
    returned = run_victim("random", root, kills, 7)
    gallery = open_gallery(root)
    assert frozenset(range(returned)) <= gallery.indices(JOB.id)
    # At most one picture per kill was on the disk before its save had returned.
    assert returned <= assert_sound(gallery, root) <= returned + kills
    gallery.close()


def test_random_kills(tmp_path: Path) -> None:
    kill_and_look(tmp_path, 12)


@pytest.mark.slow
def test_many_random_kills(tmp_path: Path) -> None:
    kill_and_look(tmp_path, 300)


def test_temporary_file_that_another_server_sweeps_is_written_again(tmp_path: Path) -> None:
    assert run_victim("swept", tmp_path) == 1
    gallery = open_gallery(tmp_path)
    assert assert_sound(gallery, tmp_path) == 1
    gallery.close()


@pytest.mark.parametrize("count", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_two_programs_in_one_outputs_folder(tmp_path: Path, count: int) -> None:
    """Each has its own data folder; `max + 1` naming lost 273 of 600 pictures in such a race."""
    for data in ("one", "two"):
        (tmp_path / data).mkdir()
        (tmp_path / data / "outputs").symlink_to(tmp_path / "outputs")
    (tmp_path / "outputs").mkdir()
    victims = [start_victim("many", tmp_path, data, count) for data in ("one", "two")]
    assert [victim.wait(240) for victim in victims] == [0, 0]
    for victim in victims:
        assert victim.stdout is not None
        victim.stdout.close()
    made: set[str] = set()
    for path in (tmp_path / "outputs").rglob("*.png"):
        read(path)
        record = read_picture_text(path).record
        assert record is not None
        made.add(record.job_id)
    assert made == {f"{data}-{number}" for data in ("one", "two") for number in range(count)}
