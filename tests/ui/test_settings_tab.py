"""The Settings tab: every setting has a control, and what is saved stays saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ui.parts import config_of
from webui.settings import SettingsStore
from webui.studio import Studio
from webui.ui.tabs.settings import page_settings, save_settings


@pytest.fixture(scope="module")
def controls(idle_studio: Studio) -> dict[str, dict[str, Any]]:
    """The properties of the page's controls by element id."""
    parts = config_of(idle_studio)["components"]
    return {part["props"].get("elem_id"): part["props"] for part in parts}


def test_every_setting_has_a_control_with_its_value(
    controls: dict[str, dict[str, Any]], idle_studio: Studio
) -> None:
    for setting in page_settings():
        shown = controls[f"setting_{setting.name}"]
        assert shown["value"] == getattr(idle_studio.settings.current, setting.name)
        assert setting.metadata["help"] in shown["info"]


def test_a_setting_fixed_by_a_flag_is_closed_and_says_why(
    controls: dict[str, dict[str, Any]],
) -> None:
    assert controls["setting_keep_free_mb"]["interactive"] is False
    assert "when the server was started" in controls["setting_keep_free_mb"]["info"]
    assert controls["setting_picture_quality"]["interactive"] is True


def test_ranges_come_from_the_annotations(controls: dict[str, dict[str, Any]]) -> None:
    quality = controls["setting_picture_quality"]
    assert (quality["minimum"], quality["maximum"]) == (1, 100)


def test_saved_settings_are_there_after_a_restart(tmp_path: Path) -> None:
    store = SettingsStore({"data_dir": str(tmp_path)})
    answer = json.loads(save_settings(store, {"picture_quality": 80, "show_previews": False}))
    assert answer == {"told": "Settings saved."}
    again = SettingsStore({"data_dir": str(tmp_path)}).current
    assert (again.picture_quality, again.show_previews) == (80, False)


def test_a_refused_value_names_its_control_and_changes_nothing(tmp_path: Path) -> None:
    store = SettingsStore({"data_dir": str(tmp_path)})
    answer = json.loads(save_settings(store, {"picture_quality": 500, "show_previews": False}))
    assert answer["control"] == "setting_picture_quality"
    assert "500" in answer["fault"]
    assert store.current.show_previews is True


def test_an_unchanged_fixed_setting_is_no_reason_to_refuse(tmp_path: Path) -> None:
    store = SettingsStore({"data_dir": str(tmp_path), "keep_free_mb": 0})
    answer = json.loads(save_settings(store, {"keep_free_mb": 0, "picture_quality": 70}))
    assert answer == {"told": "Settings saved."}
