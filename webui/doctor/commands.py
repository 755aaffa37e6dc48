"""`python launch.py ext ...`: what authors and owners do with extensions in a terminal."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from webui.core.errors import GessoError
from webui.doctor.authoring import begin, pack
from webui.doctor.examine import PATIENCE_S, ROOT, Limits, examine, examine_all
from webui.doctor.table import as_table, summary
from webui.doctor.verdict import Grade, Verdict
from webui.extend.manifest import FILE, read_manifest

HERE: Final = Path()


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.do(asked)
    except GessoError as error:
        _say(str(error))
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="launch.py ext", description="Work on extensions.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, do: Callable[..., int], help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help)
        made.set_defaults(do=do)
        return made

    new = command("new", _new, "Begin an extension in a folder of its own.")
    new.add_argument("name", help='its name for people, such as "Film look"')
    new.add_argument("--author", default="", help="your name, for extension.toml")
    new.add_argument("--into", type=Path, default=ROOT / "extensions", help="where it is put")
    check = command("check", _check, "Read extension.toml and the hooks, without jobs.")
    check.add_argument("folder", type=Path, nargs="?", default=HERE)
    test = command("test", _test, "Run the extension's own tests with pytest.")
    test.add_argument("folder", type=Path, nargs="?", default=HERE)
    test.add_argument("rest", nargs=argparse.REMAINDER, help="for pytest")
    doctor = command("doctor", _doctor, "Try extensions: load, draw the page, run small jobs.")
    doctor.add_argument("folders", type=Path, nargs="+", help="extensions, or a folder of many")
    doctor.add_argument("--json", type=Path, help="write all that was found there")
    doctor.add_argument("--seconds", type=float, default=PATIENCE_S, help="for each")
    doctor.add_argument("--engine", choices=("auto", "fake", "real"), default="auto")
    dev = command("dev", _dev, "Start the studio; load the extension anew when a file changes.")
    dev.add_argument("folder", type=Path, nargs="?", default=HERE)
    dev.add_argument("rest", nargs=argparse.REMAINDER, help="for the server")
    packed = command("pack", _pack, "Make the zip that others install.")
    packed.add_argument("folder", type=Path, nargs="?", default=HERE)
    packed.add_argument("--into", type=Path, default=HERE / "dist")
    return parser


def _new(asked: argparse.Namespace) -> int:
    folder = begin(asked.into, asked.name, asked.author)
    _say(f"{folder} is ready. Try it:\n  python launch.py ext test {folder}")
    return 0


def _check(asked: argparse.Namespace) -> int:
    if (asked.folder / FILE).is_file():
        read_manifest(asked.folder)
    return _report([examine(asked.folder, Limits(engine="fake"))])


def _test(asked: argparse.Namespace) -> int:
    folder, own = asked.folder.resolve(), ROOT / "webui" / "doctor" / "pytest.ini"
    command = [sys.executable, "-m", "pytest", "-p", "webui.doctor.pytest_plugin", "-c", str(own)]
    command += ["--rootdir", str(folder), str(folder), *asked.rest]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _doctor(asked: argparse.Namespace) -> int:
    limits = Limits(seconds=asked.seconds, engine=asked.engine)
    verdicts = []
    for verdict in examine_all(_found(asked.folders), limits):
        verdicts.append(verdict)
        _say(as_table([verdict]).partition("\n")[0])
        if asked.json:
            asked.json.write_text(json.dumps([_plain(each) for each in verdicts], indent=1))
    _say(summary(verdicts))
    return int(any(each.grade is Grade.CANNOT for each in verdicts))


def _dev(asked: argparse.Namespace) -> int:
    from webui.doctor.develop import develop

    return develop(asked.folder.resolve(), asked.rest)


def _pack(asked: argparse.Namespace) -> int:
    path, digest = pack(asked.folder.resolve(), asked.into)
    _say(f"{path}\nsha256 {digest}")
    return 0


def _found(folders: Sequence[Path]) -> list[Path]:
    """A folder that holds extensions stands for all of them."""
    found: list[Path] = []
    for path in folders:
        is_many = path.is_dir() and not _is_extension(path)
        found += filter(_is_extension, sorted(path.iterdir())) if is_many else [path]
    return found


def _is_extension(path: Path) -> bool:
    """Whether there is something to try, told without reading any of its code."""
    if path.is_file():
        return path.suffix == ".py"
    return any((path / sign).exists() for sign in (FILE, "scripts", "javascript", "install.py"))


def _report(verdicts: Sequence[Verdict]) -> int:
    for verdict in verdicts:
        _say(verdict.sentence)
        for step in verdict.failed:
            _say(f"\n{step.name}: {step.error}\n{step.trace}")
    return int(any(each.failed for each in verdicts))


def _plain(verdict: Verdict) -> dict[str, object]:
    steps = [vars(step) for step in verdict.steps]
    shown = {"grade": verdict.grade.value, "sentence": verdict.sentence, "steps": steps}
    return {**vars(verdict), **shown}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
