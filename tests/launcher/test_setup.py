"""Setting up for real, in folders of its own, with wheels of a few hundred bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.launcher.conftest import TORCH, Place, make_place, make_wheel

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and signals of Linux and macOS")


def test_first_start_tells_what_it_does(ready_place: tuple[Place, str]) -> None:
    _, said = ready_place
    assert "Setting up (first start)" in said
    assert "can't be used: connection refused. Trying pip's own index." in said
    assert "Install the libraries of requirements.txt" in said
    assert "Ready after" in said


def test_second_start_asks_no_network_and_no_tool(ready_place: tuple[Place, str]) -> None:
    place, _ = ready_place
    watched = (
        "import runpy, sys\n"
        "def stop(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen'):\n"
        "        raise SystemExit(f'it did {event} {arguments}')\n"
        "sys.addaudithook(stop)\n"
        "sys.argv = ['launch.py', '--setup-only']\n"
        f"sys.path.insert(0, {str(place.root)!r})\n"
        f"runpy.run_path({str(place.root / 'launch.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watched],
        env=place.environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Setting up" not in done.stdout


def test_second_start_adds_less_than_half_a_second(ready_place: tuple[Place, str]) -> None:
    place, _ = ready_place

    def fastest(command: list[str]) -> float:
        times = []
        for _ in range(4):
            started = time.monotonic()
            subprocess.run(command, env=place.environment(), capture_output=True, check=True)
            times.append(time.monotonic() - started)
        return min(times)

    bare = fastest([sys.executable, "-c", "pass"])
    assert fastest(place.command("--setup-only")) - bare < 0.5


def test_server_gets_flags_and_variables(ready_place: tuple[Place, str]) -> None:
    place, _ = ready_place
    done = place.launch("--port", "8000", "--theme=dark", PYTHONPATH="/elsewhere")
    prefix, arguments, variables = json.loads(done.stdout.splitlines()[-1])
    assert Path(prefix) == place.root / ".venv"
    assert arguments == ["--port", "8000", "--theme=dark"]
    assert variables == ["False", "1", None]


def test_exit_code_of_the_server_is_ours(place: Place) -> None:
    (place.root / "app.py").write_text("raise SystemExit(7)\n")
    assert place.launch("--skip-install").returncode == 7


def test_help_has_our_flags_and_the_servers(ready_place: tuple[Place, str]) -> None:
    place, _ = ready_place
    done = place.launch("--help")
    assert "--reinstall" in done.stdout
    assert '["--help"]' in done.stdout


def test_vanished_package_comes_back(place: Place) -> None:
    for path in place.site_packages.glob("easel*"):
        shutil.rmtree(path)
    done = place.launch("--setup-only")
    assert "missing from .venv: easel" in done.stdout
    assert (place.site_packages / "easel" / "legs.py").exists()


def test_half_installed_package_is_made_whole(place: Place) -> None:
    (place.root / ".venv" / "gesso-setup.unfinished").touch()
    (place.site_packages / "easel" / "legs.py").write_text("")
    done = place.launch("--setup-only")
    assert "the last set-up did not finish" in done.stdout
    assert "easel is damaged" in done.stdout
    assert (place.site_packages / "easel" / "legs.py").read_text() == "n = 3\n"
    assert "Setting up" not in place.launch("--setup-only").stdout


def test_changed_requirements_are_installed_without_pytorch_again(place: Place) -> None:
    make_wheel(place.wheels, "palette", "3.0", {"palette.py": ""})
    (place.root / "requirements.txt").write_text("easel==1.0\npalette==3.0\n")
    done = place.launch("--setup-only")
    assert "the requirements changed" in done.stdout
    assert "Install PyTorch" not in done.stdout
    assert (place.site_packages / "palette.py").exists()


def test_bare_requirement_comes_without_what_it_asks_for(place: Place) -> None:
    assert (place.site_packages / "brush.py").exists()
    for path in place.site_packages.glob("brush*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    done = place.launch("--setup-only")
    assert "missing from .venv: brush" in done.stdout
    assert (place.site_packages / "brush.py").exists()
    assert "no-such-package" not in done.stdout


def test_test_requirements_come_when_they_are_asked_for(place: Place) -> None:
    assert not (place.site_packages / "mirror.py").exists()
    done = place.launch("check")
    assert (place.site_packages / "mirror.py").exists()
    assert done.returncode != 0, "ruff and mypy are not in the wheels of this test"
    assert "lint     failed" in done.stdout
    assert "Setting up" not in place.launch("--setup-only").stdout


@posix
def test_environment_whose_python_is_gone_is_mended(place: Place) -> None:
    python = place.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    done = place.launch("--setup-only")
    assert "the Python that .venv was made with is gone" in done.stdout
    assert done.returncode == 0
    assert "Install PyTorch" not in done.stdout


@pytest.mark.slow
@posix
def test_environment_of_another_python_is_made_anew(place: Place) -> None:
    config = place.root / ".venv" / "pyvenv.cfg"
    config.write_text(
        config.read_text().replace(f"version = {sys.version_info[0]}.", "version = 2.")
    )
    done = place.launch("--setup-only")
    assert "Make the environment" in done.stdout
    assert done.returncode == 0


def test_asking_for_the_processor_does_not_install_again(place: Place) -> None:
    done = place.launch("--setup-only", "--use-cpu")
    assert "other device chosen" in done.stdout
    assert "• " not in done.stdout
    assert "Setting up" not in place.launch("--setup-only", "--use-cpu").stdout


def test_no_network_is_one_clear_message(place: Place) -> None:
    shutil.rmtree(next(place.site_packages.glob("easel-*")))
    done = place.launch(
        "--setup-only",
        PIP_NO_INDEX="0",
        PIP_FIND_LINKS="",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1",
    )
    assert done.returncode == 1
    assert "The package index can't be reached.\n→ Connect this machine" in done.stdout
    assert "Traceback" not in done.stdout


def forget_torch(place: Place) -> None:
    """As if PyTorch had never been installed there."""
    for path in place.site_packages.glob("torch*"):
        shutil.rmtree(path)


def test_damaged_pytorch_is_told_without_traceback(place: Place) -> None:
    forget_torch(place)
    make_wheel(place.wheels, "torch", "2.13.0", {"torch/__init__.py": "import no_such_part"})
    done = place.launch("--setup-only")
    assert done.returncode == 1
    assert "No module named 'no_such_part'" in done.stdout
    assert "--reinstall" in done.stdout
    assert "Traceback" not in done.stdout


@posix
def test_kill_9_while_installing_is_recovered(place: Place) -> None:
    forget_torch(place)
    many = {f"torch/part{number}.py": f"n = {number}\n" for number in range(3000)}
    make_wheel(place.wheels, "torch", "2.13.0", {"torch/__init__.py": TORCH, **many})
    launcher = subprocess.Popen(
        place.command("--setup-only"),
        env=place.environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(place.site_packages.glob("torch/part*.py")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    assert (place.root / ".venv" / "gesso-setup.unfinished").exists()
    done = place.launch("--setup-only")
    assert done.returncode == 0, done.stdout
    assert "the last set-up did not finish" in done.stdout
    assert len(list(place.site_packages.glob("torch/part*.py"))) == 3000


def test_second_launcher_waits_for_the_first(place: Place) -> None:
    (place.root / ".venv" / "gesso-setup.unfinished").touch()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib; from webui.launcher.lock import only_one\n"
            "with only_one(pathlib.Path('.venv-setup/lock')):\n"
            "    print('held', flush=True); input()",
        ],
        cwd=place.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    second = subprocess.Popen(
        place.command("--setup-only"),
        env=place.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert second.stdout
    assert "Another launcher is setting up" in second.stdout.readline()
    assert second.poll() is None
    holder.communicate("\n")
    rest, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "Ready after" in rest


@posix
def test_folder_without_write_permission_is_explained(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.root / ".venv-setup").write_text("a file where a folder should be")
    done = place.launch("--setup-only")
    assert done.returncode == 1
    assert "can't be written to" in done.stdout
    assert "Traceback" not in done.stdout


def test_incomplete_program_is_told_without_traceback(place: Place) -> None:
    (place.root / "constraints.txt").unlink()
    done = place.launch("--setup-only")
    assert done.returncode == 1
    assert "constraints.txt can't be read or written: No such file" in done.stdout


def test_help_before_the_first_start_says_where_the_rest_is(tmp_path: Path) -> None:
    done = make_place(tmp_path).launch("--help")
    assert done.returncode == 0
    assert "shown here once it is set up" in done.stdout


def test_too_little_disk_is_told_before_anything_is_made(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    plan = place.root / "webui" / "launcher" / "plan.py"
    plan.write_text(plan.read_text().replace('"cpu": 3,', '"cpu": 9_000_000,'))
    done = place.launch("--setup-only", "--use-cpu")
    assert done.returncode == 1
    assert "setting up needs about 9000000 GB" in done.stdout
    assert not (place.root / ".venv").exists()
