"""The report tells what is there, also when nothing works, and tells no secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.launcher.conftest import Place, recorded
from webui.launcher.doctor import Doctor, hide
from webui.launcher.installer import Installer
from webui.launcher.plan import Choice


def doctor(root: Path, environment: Mapping[str, str] | None = None) -> Doctor:
    return Doctor(
        installer=Installer(
            root=root, probe=recorded("h100_server"), choice=Choice(), system="linux"
        ),
        version="1.2.3",
        data=root / "data",
        home=str(root.parent),
        environment=environment or {},
    )


def test_empty_folder_has_a_report(tmp_path: Path) -> None:
    report = doctor(tmp_path / "gesso").report()
    assert "Gesso 1.2.3" in report
    assert "can't tell" in report or "none" in report
    assert str(tmp_path) not in report


def test_report_of_a_working_place(place: Place) -> None:
    (place.root / "data").mkdir()
    (place.root / "data" / "settings.json").write_text(json.dumps({"theme": "dark"}))
    (place.root / "data" / "server.log").write_text("line one\nline two\n")
    report = doctor(place.root, {"HTTPS_PROXY": "http://ann:secret@proxy"}).report()
    assert "torch 2.13.0" in report
    assert "theme = dark" in report
    assert "line two" in report
    assert "set: HTTPS_PROXY" in report
    assert "secret" not in report


def test_damaged_settings_do_not_stop_the_report(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "settings.json").write_text("{")
    report = doctor(tmp_path).report()
    assert "can't tell" in report.partition("Settings")[2]


def test_home_and_passwords_are_hidden() -> None:
    text = "/home/ann/gesso from https://ann:secret@mirror.example/simple"
    assert hide("/home/ann", text) == "~/gesso from https://***@mirror.example/simple"
