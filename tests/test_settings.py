"""Where settings come from, what is refused, and what survives a damaged file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from webui.core.errors import InvalidRequest
from webui.settings import Settings, SettingsStore, from_flags


def store(root: Path, *flags: str, **environment: str) -> SettingsStore:
    return SettingsStore(from_flags(["--data-dir", str(root), *flags], environment))


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    assert store(tmp_path).current.keep_free_mb == 512
    store(tmp_path).update({"keep_free_mb": 100})
    assert store(tmp_path).current.keep_free_mb == 100
    assert store(tmp_path, GESSO_KEEP_FREE_MB="200").current.keep_free_mb == 200
    both = store(tmp_path, "--keep-free-mb", "300", GESSO_KEEP_FREE_MB="200")
    assert both.current.keep_free_mb == 300


def test_switches_can_be_turned_off_by_flag(tmp_path: Path) -> None:
    assert store(tmp_path, "--no-autolaunch").current.autolaunch is False
    assert store(tmp_path, "--use-cpu").current.use_cpu is True


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"keep_free_mb": -1}, "keep_free_mb"),
        ({"picture_format": "gif"}, "picture_format"),
        ({"port": 1}, "port"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_a_refused_change_changes_nothing(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    settings = store(tmp_path)
    before = settings.current
    with pytest.raises(InvalidRequest) as refused:
        settings.update({"picture_quality": 50} | changes)
    assert refused.value.field == field
    assert settings.current == before
    assert store(tmp_path).current == before


def test_what_a_flag_fixed_cannot_be_changed_from_the_page(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="set when the server was started"):
        store(tmp_path, "--picture-format", "webp").update({"picture_format": "png"})


def test_watchers_see_the_new_settings(tmp_path: Path) -> None:
    settings, seen = store(tmp_path), list[int]()
    settings.on_change(lambda new: seen.append(new.picture_quality))
    settings.update({"picture_quality": 70})
    assert seen == [70]


def test_any_damage_to_the_file_falls_back_to_the_last_good_one(tmp_path: Path) -> None:
    settings = store(tmp_path)
    settings.update({"picture_quality": 70})
    settings.update({"picture_quality": 80})
    whole = settings.path.read_bytes()
    for length in range(len(whole)):
        root = tmp_path / str(length)
        (root / "data").mkdir(parents=True)
        (root / "data" / "settings.json").write_bytes(whole[:length])
        (root / "data" / "settings.backup1.json").write_bytes(whole)
        assert store(root).current.picture_quality == 80
        kept = list((root / "data").glob("settings.damaged-*.json"))
        assert [file.read_bytes() for file in kept] == [whole[:length]]


def test_a_file_from_a_newer_version_keeps_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "settings.json").write_text('{"picture_quality": 61, "from_2030": true}')
    assert store(tmp_path).current.picture_quality == 61


def test_help_tells_of_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_flags(["--help"], {})
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for setting in dataclasses.fields(Settings):
        assert f"--{setting.name.replace('_', '-')}" in told
    assert "(SDXL by 7 %)" in told


def test_every_setting_has_help() -> None:
    assert [s.name for s in dataclasses.fields(Settings) if not s.metadata["help"]] == []


def test_a_refusal_names_the_setting_as_the_page_does(tmp_path: Path) -> None:
    settings = store(tmp_path)
    with pytest.raises(InvalidRequest, match=r"^Seconds between previews is empty\."):
        settings.update({"preview_interval_s": None})
    with pytest.raises(InvalidRequest, match=r"^JPEG and WebP quality 500 is too large\."):
        settings.update({"picture_quality": 500})
