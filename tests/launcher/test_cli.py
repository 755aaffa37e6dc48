"""The command line taken apart: our own flags, and the rest for the server or pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

from webui.launcher.browser import VARIABLE, debian_command, find_browser, usual_places
from webui.launcher.checks import ALL, QUICK, USUAL, Selection, rounds
from webui.launcher.cli import parse
from webui.launcher.serve import server_environment

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nID=ubuntu\nID_LIKE=debian\n'


def test_flags_of_the_server_are_passed_on() -> None:
    request = parse(["--port", "8000", "--reinstall", "--theme=dark"], {})
    assert request.rest == ("--port", "8000", "--theme=dark")
    assert request.reinstalls
    assert request.command == ""


def test_device_flags_are_read_and_passed_on() -> None:
    request = parse(["--use-cpu", "--device-id", "1"], {})
    assert (request.choice.use_cpu, request.choice.device_id) == (True, "1")
    assert request.rest == ("--use-cpu", "--device-id", "1")


@pytest.mark.parametrize(
    ("arguments", "variable", "use_cpu"),
    [
        ([], "1", True),
        ([], "false", False),
        (["--no-use-cpu"], "1", False),
        (["--no-use-cpu", "--use-cpu"], "", True),
    ],
)
def test_last_word_on_the_processor(arguments: list[str], variable: str, use_cpu: bool) -> None:
    assert parse(arguments, {"GESSO_USE_CPU": variable}).choice.use_cpu is use_cpu


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [(["--data-dir=/a"], "/a"), (["--data-dir", "/b"], "/b"), (["--data-dir"], "/env")],
)
def test_value_after_the_flag_or_the_equals_sign(arguments: list[str], folder: str) -> None:
    assert parse(arguments, {"GESSO_DATA_DIR": "/env"}).data_dir == folder


def test_index_of_pytorch_can_be_another() -> None:
    choice = parse([], {"TORCH_INDEX_URL": "https://mirror.example/whl/"}).choice
    assert choice.torch_index == "https://mirror.example/whl"


def test_commands_keep_their_arguments() -> None:
    request = parse(["test", "--quick", "tests/core", "--help"], {})
    assert (request.command, request.has_help) == ("test", False)
    assert request.rest == ("--quick", "tests/core", "--help")


@pytest.mark.parametrize(
    ("arguments", "marks", "has_browser"),
    [
        ([], USUAL, True),
        (["--quick"], QUICK, False),
        (["--quick", "--no-browser"], QUICK, False),
        (["--all"], ALL, True),
        (["--no-browser"], f"{USUAL} and not browser", False),
    ],
)
def test_which_tests_run(arguments: list[str], marks: str, has_browser: bool) -> None:
    run = Selection.from_arguments([*arguments, "-k", "apple"])
    assert (run.marks, run.has_browser, run.arguments) == (marks, has_browser, ("-k", "apple"))


def test_server_starts_offline_and_silent_unless_told_otherwise() -> None:
    environment = server_environment({"HF_HUB_OFFLINE": "0"}, {"HIP_VISIBLE_DEVICES": "0"})
    assert environment["HF_HUB_OFFLINE"] == "0"
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environment["HIP_VISIBLE_DEVICES"] == "0"


@pytest.mark.parametrize(
    ("os_release", "is_root", "has_sudo", "command"),
    [
        (DEBIAN, True, False, ["apt-get"]),
        (DEBIAN, False, True, ["sudo", "-n", "apt-get"]),
        (DEBIAN, False, False, []),
        (UBUNTU, True, True, []),
        ("", True, True, []),
    ],
)
def test_debians_package_where_it_can_be_installed(
    os_release: str, is_root: bool, has_sudo: bool, command: list[str]
) -> None:
    assert debian_command(os_release, is_root, has_sudo) == command


def test_browser_on_the_path_or_named(tmp_path: Path) -> None:
    assert find_browser("linux", {"PATH": str(tmp_path), "HOME": str(tmp_path)}) == ""
    program = tmp_path / "google-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_browser("linux", {"PATH": str(tmp_path)}) == str(program)
    assert find_browser("linux", {VARIABLE: "/my/chrome"}) == "/my/chrome"


@pytest.mark.parametrize(
    ("system", "variable", "program"),
    [
        ("linux", "HOME", ".cache/ms-playwright/chromium-1200/chrome-linux64/chrome"),
        ("macos", "HOME", "Applications/Chromium.app/Contents/MacOS/Chromium"),
        ("windows", "PROGRAMFILES", "Google/Chrome/Application/chrome.exe"),
        ("windows", "LOCALAPPDATA", "ms-playwright/chromium-1200/chrome-win64/chrome.exe"),
    ],
)
def test_browsers_at_their_usual_places(
    tmp_path: Path, system: str, variable: str, program: str
) -> None:
    (tmp_path / program).parent.mkdir(parents=True)
    (tmp_path / program).touch()
    assert tmp_path / program in usual_places(system, {variable: str(tmp_path)})


def test_whole_sets_run_beside_each_other_and_the_browser_alone() -> None:
    beside = ("-n", "2", "--dist", "loadfile")
    assert rounds(Selection.from_arguments([]), 2) == [
        ("-m", f"{USUAL} and not browser", *beside),
        ("-m", f"{USUAL} and browser"),
    ]
    assert rounds(Selection.from_arguments(["--quick"]), 2) == [("-m", QUICK, *beside)]
    assert rounds(Selection.from_arguments(["--all"]), 64)[0][3] == "4"


def test_chosen_tests_run_in_order() -> None:
    selection = Selection.from_arguments(["tests/core", "-x"])
    assert rounds(selection, 8) == [("-m", USUAL, "tests/core", "-x")]
