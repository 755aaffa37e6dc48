"""Which extensions there are, told without running any."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.extend.conftest import Workshop
from webui.extend.extension import Origin, State
from webui.extend.finding import Places, find
from webui.extend.manifest import Kind

EXPLOSIVE = "raise RuntimeError('this was run')\n"


def found_in(workshop: Workshop, shipped: Path | None = None) -> dict[str, tuple[Kind, str]]:
    places = Places(
        shipped=shipped or workshop.root / "shipped", folder=workshop.folder, data=workshop.data
    )
    return {id: (found.kind, found.error) for id, found in find(places).items()}


def test_kinds_are_told_by_what_lies_there(workshop: Workshop) -> None:
    workshop.write("native-one", EXPLOSIVE)
    workshop.script("My Script.py", f"from webui.extend import hook\n{EXPLOSIVE}")
    workshop.script("old.py", f"from modules import scripts\n{EXPLOSIVE}")
    workshop.script("older.py", f"class Mine(scripts.Script):\n    pass\n{EXPLOSIVE}")
    for sign in ("scripts", "javascript"):
        (workshop.folder / f"with {sign}" / sign).mkdir(parents=True)
    (workshop.folder / ".hidden" / "scripts").mkdir(parents=True)
    (workshop.folder / "loose").mkdir()
    (workshop.folder / "loose" / "mine.py").write_text(f"import modules.scripts\n{EXPLOSIVE}")
    (workshop.folder / "readme.txt").write_text("nothing")
    assert {id: kind for id, (kind, error) in found_in(workshop).items() if not error} == {
        "native-one": Kind.NATIVE,
        "my-script": Kind.SCRIPT,
        "old": Kind.A1111,
        "older": Kind.A1111,
        "with-scripts": Kind.A1111,
        "with-javascript": Kind.A1111,
        "loose": Kind.A1111,
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("empty/notes.txt", "", "neither extension.toml nor a folder"),
        ("bare/__init__.py", "import webui.extend", "Write one with id and name"),
        ("broken/extension.toml", "id = ", "can't be read"),
        ("strange/extension.toml", 'id = "a"\nname = "A"\ncolour = 1', "unknown key “colour”"),
        ("odd/extension.toml", 'id = "A b"\nname = "A"', "lower case"),
        ("syntax.py", "def (", "can't be read"),
        ("other.py", "import os", "imports neither"),
    ],
)
def test_what_can_not_be_used_is_shown_with_the_reason(
    workshop: Workshop, name: str, text: str, said: str
) -> None:
    path = workshop.folder / name
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    (shown,) = (each for each in workshop.open().all())
    assert shown.state is State.FAILED
    assert said in shown.error


def test_of_two_with_one_id_the_second_says_so(workshop: Workshop) -> None:
    workshop.write("grain")
    (workshop.folder / "grain").rename(workshop.folder / "first")
    workshop.write("grain")
    found = found_in(workshop)
    assert found["grain"][1] == ""
    assert "“grain” has the same id “grain” as “first”" in found["grain-2"][1]


def test_a_persons_own_copy_counts_before_the_shipped_one(workshop: Workshop) -> None:
    workshop.write("grain")
    (workshop.root / "extensions").rename(workshop.root / "shipped")
    workshop.write("grain", manifest='version = "2"')
    workshop.script("other.py", "from webui.extend import hook")
    extensions = workshop.open()
    grain = extensions.get("grain")
    assert (grain.manifest.version, grain.origin) == ("2", Origin.FOLDER)


def test_only_what_is_listed_comes_with_the_program_when_all_lie_together(
    workshop: Workshop,
) -> None:
    workshop.write("ours", manifest="enabled = true")
    workshop.write("theirs", manifest="enabled = true")
    (workshop.folder / "shipped.txt").write_text("ours\n")
    places = Places(shipped=workshop.folder, folder=workshop.folder, data=workshop.data)
    found = find(places)
    assert (found["ours"].origin, found["theirs"].origin) == (Origin.SHIPPED, Origin.FOLDER)


def test_only_shipped_ones_may_be_on_from_the_start(workshop: Workshop) -> None:
    workshop.write("ours", manifest="enabled = true")
    workshop.folder.rename(workshop.root / "shipped")
    workshop.write("theirs", manifest="enabled = true")
    extensions = workshop.open()
    assert extensions.get("ours").state is State.ON
    assert extensions.get("theirs").state is State.OFF


def test_packages_are_found_by_their_entry_points(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = workshop.root / "site"
    about = site / "grain_pack-3.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: grain-pack\nVersion: 3.1\n")
    (about / "entry_points.txt").write_text(
        "[webui.extensions]\ngrain-pack = grain_pack_of_tests\ngone = not_there_at_all\n"
    )
    (site / "grain_pack_of_tests.py").write_text(
        "from webui.extend import Slider, hook\nINPUTS = [Slider('amount', 'Amount')]\n"
    )
    monkeypatch.syspath_prepend(str(site))
    extensions = workshop.enabled("grain-pack")
    pack = extensions.get("grain-pack")
    assert (pack.origin, pack.manifest.version, pack.kind) == (
        Origin.PACKAGE,
        "3.1",
        Kind.NATIVE,
    )
    assert [each.id for each in pack.inputs] == ["amount"]
    assert "which is not there" in extensions.get("gone").error


def test_a_package_may_have_its_hooks_in_an_inner_module(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = workshop.root / "site"
    package = site / "sky_pack_of_tests"
    about = site / "sky_pack-1.0.dist-info"
    for folder in (package, about):
        folder.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sky-pack\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[webui.extensions]\nsky = sky_pack_of_tests.hooks\n")
    (package / "__init__.py").write_text("")
    (package / "hooks.py").write_text("from webui.extend import hook\n@hook\ndef job_end(end): 0\n")
    (package / "engine.py").write_text(
        "from webui.extend import hook\n@hook\ndef noise(noise): 0\n"
    )
    (package / "extension.toml").write_text('id = "sky"\nname = "Sky"\nversion = "2"\n')
    monkeypatch.syspath_prepend(str(site))
    sky = workshop.enabled("sky").get("sky")
    assert (sky.name, sky.manifest.version, sky.hooks) == ("Sky", "2", {"job_end", "noise"})
    workshop.close()
    assert not [name for name in sys.modules if name.startswith("sky_pack_of_tests")]
