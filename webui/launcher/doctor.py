"""A report for bug reports. Works when nothing else does, and names no secrets or home folders."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.launcher.detect import detect
from webui.launcher.errors import SetupError
from webui.launcher.installed import damaged, installed, missing, read_pins
from webui.launcher.installer import BARE_REQUIREMENTS, REQUIREMENTS, Installer
from webui.launcher.machine import this_machine
from webui.launcher.pip import tail
from webui.launcher.plan import TORCH, make_plan
from webui.launcher.report import describe_machine, describe_plan
from webui.launcher.stamp import read_stamp, why_set_up

KEY_PACKAGES: Final = ("torch", "diffusers", "transformers", "gradio", "xformers")
LOG_LINES: Final = 20
PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "PIP_INDEX_URL")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Looks at one installation. `data` is the folder with settings and logs."""

    installer: Installer
    version: str
    data: Path
    home: str
    environment: Mapping[str, str]

    def report(self) -> str:
        """All sections; one that can't be had says why instead."""
        sections: Sequence[tuple[str, Callable[[], Iterator[str]]]] = (
            ("Machine", self._machine),
            ("Environment", self._venv),
            ("Disk", self._disk),
            ("Network variables", self._network),
            ("Settings", self._settings),
            ("Log", self._log),
        )
        lines = [f"Gesso {self.version}"]
        for title, section in sections:
            lines += ["", title, *(f"  {line.strip()}" for line in _whatever_happens(section))]
        return hide(self.home, "\n".join(lines))

    def _machine(self) -> Iterator[str]:
        machine = this_machine(self.installer.probe)
        yield describe_machine(machine)
        yield f"Architecture {machine.arch} {machine.libc}"
        detection = detect(machine, self.installer.probe)
        for card in detection.gpus:
            yield f"{card.vendor} {card.index}: {card.name}, {card.architecture}, {card.driver}"
        plan = make_plan(machine, detection, self.installer.choice)
        yield from describe_plan(detection, plan).splitlines()

    def _venv(self) -> Iterator[str]:
        installer, venv = self.installer, self.installer.venv
        stamp = read_stamp(installer.stamp_path)
        yield f"Folder {venv.folder}, Python {venv.version() or 'none'}, {venv.base() or 'gone'}"
        yield f"State: {why_set_up(stamp, installer.facts()) or 'set up'}"
        if stamp:
            yield f"PyTorch build {stamp.build} from {stamp.source or 'pip’s own index'}"
        packages = installed(venv.site_packages)
        yield ", ".join(f"{name} {packages.get(name, 'missing')}" for name in KEY_PACKAGES)
        files = [installer.root / name for name in (REQUIREMENTS, BARE_REQUIREMENTS)]
        pins = read_pins("\n".join(file.read_text("utf-8") for file in files))
        if lacking := missing(pins | {"torch": TORCH}, packages):
            yield f"Missing or of another version: {', '.join(lacking)}"
        if broken := damaged(venv.site_packages):
            yield f"Damaged: {', '.join(path.name for path in broken)}"

    def _disk(self) -> Iterator[str]:
        for folder in {self.installer.root, self.data}:
            if folder.exists():
                usage = shutil.disk_usage(folder)
                yield f"{folder}: {usage.free / 1e9:.1f} of {usage.total / 1e9:.0f} GB free"

    def _network(self) -> Iterator[str]:
        names = [name for name in PROXIES if name in self.environment]
        yield f"set: {', '.join(names)}" if names else "none set"

    def _settings(self) -> Iterator[str]:
        saved = json.loads((self.data / "settings.json").read_text("utf-8"))
        yield from (f"{name} = {value}" for name, value in saved.items())

    def _log(self) -> Iterator[str]:
        logs = [*self.data.glob("*.log"), self.installer.notes_folder / "pip.log"]
        for path in (path for path in logs if path.exists()):
            yield f"{path.name}:"
            yield from [line for line in tail(path).splitlines() if line.strip()][-LOG_LINES:]


def _whatever_happens(section: Callable[[], Iterator[str]]) -> list[str]:
    """A section's lines. A report of something broken must not break on it, hence the wide net."""
    lines: list[str] = []
    try:
        for line in section():
            lines.append(line)  # one by one: those before a failure count
    except FileNotFoundError as error:
        lines.append(f"none ({error.filename})")
    except (SetupError, OSError, ValueError, KeyError, AttributeError) as error:
        lines.append(f"can't tell: {error}")
    return lines


def hide(home: str, text: str) -> str:
    """The text without the home folder's name and without passwords in addresses."""
    text = re.sub(r"//[^/@\s:]+:[^/@\s]+@", "//***@", text)
    return text.replace(home, "~") if len(home) > 1 else text
