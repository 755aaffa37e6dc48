"""The launcher's commands and few flags; everything else is passed on to the server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.launcher import browser, checks
from webui.launcher.doctor import Doctor
from webui.launcher.errors import SetupError
from webui.launcher.installer import Installer
from webui.launcher.lock import only_one
from webui.launcher.machine import system_name
from webui.launcher.plan import TORCH, TORCH_INDEX, Choice
from webui.launcher.probe import HostProbe, RecordingProbe
from webui.launcher.progress import prepare_output, say
from webui.launcher.serve import become, server_command, server_environment
from webui.launcher.stamp import Stamp, read_stamp, why_set_up
from webui.launcher.venv import remove

ROOT: Final = Path(__file__).resolve().parent.parent.parent
COMMANDS: Final = ("owner", "ext", "test", "check", "doctor")
HELP: Final = """\
Sets Gesso up on the first start, and starts it.

python launch.py [flags]         start; the server's flags are below
python launch.py --lan           start, and let others in your network in: docs/team.md
python launch.py owner NAME      make the owner of the studio, or give an owner a new password
                                 (--password-file FILE: not asked for, but read)
python launch.py ext --help      work on extensions: new, check, test, doctor, dev, pack
python launch.py doctor          print a report to add to a bug report (--record: as a recording
                                 of what the machine's tools say)
python launch.py check           run formatter, linter, type checker and import rules
python launch.py test [pytest arguments]
                                 run the checks and the tests
    --quick                      only the tests that need neither browser nor PyTorch; no checks
    --all                        the slow tests, too
    --no-browser                 leave the browser tests out

--setup-only                     set up, but don't start
--skip-install                   start with what is installed, whatever that is
--reinstall                      remove .venv and set up anew
--use-cpu, --device-id NUMBER    also choose the build of PyTorch
TORCH_INDEX_URL (variable)       another place to get PyTorch's builds from
"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line, taken apart."""

    command: str
    """One of COMMANDS, or "" to start the server."""
    has_help: bool
    is_setup_only: bool
    skips_install: bool
    reinstalls: bool
    choice: Choice
    data_dir: str
    rest: tuple[str, ...]
    """What the server, pytest or the doctor gets."""

    @property
    def needs_tests(self) -> bool:
        """Whether the tools for tests are needed beside the program's own libraries."""
        is_authors = self.command == "ext" and self.rest[:1] == ("test",)
        return is_authors or self.command in ("test", "check")

    @property
    def words(self) -> tuple[str, ...]:
        """The server's own command: none starts it."""
        return (self.command,) if self.command == "owner" else ()


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Request:
    """Our own flags, and the rest for whoever comes next."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    rest = list(arguments[1:] if command else arguments)
    own = {"--setup-only", "--skip-install", "--reinstall"}
    choice = Choice(
        use_cpu=_is_switched_on("use-cpu", rest, environment),
        device_id=_value("device-id", rest, environment),
        torch_index=environment.get("TORCH_INDEX_URL", TORCH_INDEX).rstrip("/"),
    )
    return Request(
        command=command,
        has_help=not command and bool({"--help", "-h"} & set(rest)),
        is_setup_only="--setup-only" in rest,
        skips_install="--skip-install" in rest,
        reinstalls="--reinstall" in rest,
        choice=choice,
        data_dir=_value("data-dir", rest, environment),
        rest=tuple(argument for argument in rest if argument not in own),
    )


def _is_switched_on(flag: str, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """A switch of the server's as the server reads it: the last flag, then the variable."""
    given = [a for a in arguments if a in (f"--{flag}", f"--no-{flag}")]
    if given:
        return given[-1] == f"--{flag}"
    variable = environment.get(f"GESSO_{flag.replace('-', '_').upper()}", "")
    return variable.lower() in ("1", "true", "yes", "on", "t", "y")


def _value(flag: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """A value of the server's: `--flag VALUE` or `--flag=VALUE`, then the variable, then ""."""
    found = environment.get(f"GESSO_{flag.replace('-', '_').upper()}", "")
    for place, argument in enumerate(arguments):
        if argument == f"--{flag}" and place + 1 < len(arguments):
            found = arguments[place + 1]
        elif argument.startswith(f"--{flag}="):
            found = argument.partition("=")[2]
    return found


def version() -> str:
    """The program's version."""
    text = (ROOT / "webui" / "__init__.py").read_text("utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    return found[1] if found else "of unknown version"


def run(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code. Failures are told without a traceback."""
    prepare_output()
    try:
        return _run(parse(arguments, os.environ))
    except SetupError as error:
        say(f"\n{error.what}\n→ {error.way_out}")
        return 1
    except OSError as error:
        say(f"\n{error.filename or 'A file'} can't be read or written: {error.strerror}.")
        say("→ Look at free space and permissions, or fetch the program anew, then start again.")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Start again to go on.")
        return 130


def _run(request: Request) -> int:
    installer = Installer(
        root=ROOT,
        probe=HostProbe(),
        choice=request.choice,
        system=system_name(),
        has_tests=request.needs_tests,
    )
    if request.command == "doctor":
        return _doctor(installer, request)
    if request.has_help:
        return _help(installer, request)
    if request.reinstalls:
        with only_one(installer.notes_folder / "lock"):
            if installer.venv.folder.exists():
                remove(installer.venv.folder)
    if request.command == "check":
        installer.ensure()
        return checks.run_checks(installer.venv, ROOT)
    if request.command == "test":
        return _test(installer, request)
    if request.command == "ext":
        return _extensions(installer, request)
    return _serve(installer, request)


def _serve(installer: Installer, request: Request) -> int:
    if request.skips_install:
        device: Mapping[str, str] = {}
    else:
        stamp = installer.ensure()
        device = stamp.environment
        say(f"Gesso {version()} · PyTorch {TORCH} ({stamp.build}) on {stamp.device}")
    if request.is_setup_only:
        return 0
    command = server_command(installer.venv, ROOT, [*request.words, *request.rest])
    return become(command, server_environment(os.environ, device))


def _help(installer: Installer, request: Request) -> int:
    say(HELP)
    if why_set_up(read_stamp(installer.stamp_path), installer.facts()):
        say("The server's own flags are shown here once it is set up.")
        return 0
    say("The server's flags:")
    command = server_command(installer.venv, ROOT, ["--help"])
    return become(command, server_environment(os.environ, {}))


def _test(installer: Installer, request: Request) -> int:
    tests = checks.Selection.from_arguments(request.rest)
    stamp: Stamp = installer.ensure()
    environment = server_environment(os.environ, stamp.environment)
    if tests.has_browser:
        found = browser.get_browser(installer.system, installer.venv, installer.probe)
        environment[browser.VARIABLE] = found
    failed = 0 if tests.is_quick else checks.run_checks(installer.venv, ROOT)
    return checks.run_tests(installer.venv, ROOT, tests, environment) or failed


def _extensions(installer: Installer, request: Request) -> int:
    stamp: Stamp = installer.ensure()
    command = server_command(installer.venv, ROOT, ["ext", *request.rest])
    return become(command, server_environment(os.environ, stamp.environment))


def _doctor(installer: Installer, request: Request) -> int:
    recorder = RecordingProbe(source=installer.probe)
    root = Path(request.data_dir).expanduser() if request.data_dir else ROOT
    doctor = Doctor(
        installer=Installer(
            root=ROOT, probe=recorder, choice=request.choice, system=installer.system
        ),
        version=version(),
        data=root / "data",
        home=str(Path.home()),
        environment=os.environ,
    )
    report = doctor.report()
    say(recorder.text() if "--record" in request.rest else report)
    return 0
