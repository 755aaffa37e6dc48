"""What authors do: begin, test, check and pack an extension; and the tutorial, as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from webui.core.errors import InvalidRequest
from webui.doctor import reference
from webui.doctor.authoring import begin, pack
from webui.extend.manifest import ManifestError, read_manifest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "extensions" / "tutorial.md"
FILES = re.compile(r"```\w+ file=(\S+)\n(.*?)```", re.DOTALL)
MOST_LINES = 40


def ext(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), "ext", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """The extension of the tutorial, as a reader would write it down."""
    folder = tmp_path / "negative-film"
    for name, text in FILES.findall(TUTORIAL.read_text("utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_the_tutorial_takes_forty_lines(tutorial: Path) -> None:
    lines = sum(len(path.read_text().splitlines()) for path in tutorial.rglob("*.*"))
    assert 0 < lines <= MOST_LINES


@pytest.mark.slow
def test_the_tutorial_works(tutorial: Path) -> None:
    tested = ext("test", str(tutorial), "-q")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 passed" in tested.stdout
    examined = ext("check", str(tutorial))
    assert examined.stdout.strip() == "Works.", examined.stdout


@pytest.mark.slow
def test_a_new_extension_passes_its_own_test(tmp_path: Path) -> None:
    made = ext("new", "Silver Screen", "--into", str(tmp_path), "--author", "Ann")
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "silver-screen"
    assert read_manifest(folder).authors == ("Ann",)
    tested = ext("test", str(folder), "-q")
    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    begin(tmp_path, "Silver Screen")
    with pytest.raises(InvalidRequest, match="silver-screen"):
        begin(tmp_path, "silver screen")


def test_a_package_is_the_same_each_time_and_holds_only_what_others_need(tmp_path: Path) -> None:
    folder = begin(tmp_path, "It")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    first, digest = pack(folder, tmp_path / "dist")
    again, same = pack(folder, tmp_path / "again")
    assert digest == same
    assert first.name == again.name == "it-0.1.0.zip"
    with zipfile.ZipFile(first) as archive:
        assert sorted(archive.namelist()) == [
            "it/README.md", "it/__init__.py", "it/extension.toml", "it/tests/test_extension.py",
        ]  # fmt: skip


def test_nothing_is_packed_without_a_licence(tmp_path: Path) -> None:
    folder = begin(tmp_path, "It")
    (folder / "extension.toml").write_text('id = "it"\nname = "It"\n')
    with pytest.raises(ManifestError, match="no licence"):
        pack(folder, tmp_path / "dist")


def test_the_page_of_hooks_says_what_the_hooks_say() -> None:
    page = ROOT / "docs" / "extensions" / "hooks.md"
    assert page.read_text("utf-8") == reference.page(), (
        "run: python -m webui.doctor.reference > docs/extensions/hooks.md"
    )


@pytest.mark.slow
def test_all_fixtures_are_what_they_say(tmp_path: Path) -> None:
    folder = begin(tmp_path, "It")
    (folder / "__init__.py").write_text(
        "from fastapi import APIRouter\n"
        "from webui.extend import Routes, Slider, hook\n"
        "INPUTS = [Slider('amount', 'Amount')]\n"
        "@hook\ndef image_post(item): return item.image.rotate(180)\n"
        "@hook\ndef api_routes(register):\n"
        "    router = APIRouter()\n"
        "    router.add_api_route('/words', lambda: 'yes')\n"
        "    register(Routes(router=router))\n"
    )
    (folder / "tests" / "test_extension.py").write_text(
        "def test_all(extension, studio, starter_studio, make, make_real, page, owner, guest):\n"
        "    assert extension.is_on\n"
        "    assert studio.extensions.get('it').has_hook('image_post')\n"
        "    assert make()[0].size == make_real()[0].size == (64, 64)\n"
        "    labels = [part['props'].get('label') for part in page['components']]\n"
        "    assert 'Amount' in labels\n"
        "    assert owner.get('/ext/it/words').json() == 'yes'\n"
        "    assert guest.get('/ext/it/words').status_code == 403\n"
    )
    tested = ext("test", str(folder), "-q")
    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr
