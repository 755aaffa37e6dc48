"""Setting up: from an empty folder, an interrupted or outdated set-up to one that works.

`Installer.ensure` decides by the stamp of the last set-up whether there is anything to do; a
start that finds nothing to do asks no network and no tool.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.launcher.detect import detect
from webui.launcher.errors import SetupError
from webui.launcher.index import why_unreachable
from webui.launcher.installed import damaged, installed, missing, read_pins
from webui.launcher.lock import only_one
from webui.launcher.machine import graphics_fingerprint, this_machine
from webui.launcher.pip import Pip, PipFailed
from webui.launcher.plan import TORCH, Choice, Plan, make_plan, serves, without_own_index
from webui.launcher.probe import Probe
from webui.launcher.progress import say, spent, step
from webui.launcher.report import describe_machine, describe_plan
from webui.launcher.stamp import Facts, Stamp, digest, read_stamp, why_set_up, write_stamp
from webui.launcher.venv import Venv, clean_environment, make, relocate, unlink_pythons, works

REQUIREMENTS: Final = "requirements.txt"
BARE_REQUIREMENTS: Final = "requirements-bare.txt"
TEST_REQUIREMENTS: Final = "requirements-test.txt"
CONSTRAINTS: Final = "constraints.txt"
# Packages that belong to one build of PyTorch and are gigabytes of waste beside another
BUILD_PACKAGES: Final = ("torch", "triton", "pytorch-triton", "nvidia-", "cuda-", "intel-")
# Room for the largest download while it is unpacked (GB)
DOWNLOAD_GB: Final = 3
# Everything but PyTorch, downloads included (GB)
LIBRARIES_GB: Final = 1


@dataclass(frozen=True, kw_only=True)
class Installer:
    """Sets one folder up. `system` is this machine's, as `Machine.system` calls it."""

    root: Path
    probe: Probe
    choice: Choice
    system: str
    has_tests: bool = False

    @property
    def venv(self) -> Venv:
        """The environment, made or not."""
        return Venv(folder=self.root / ".venv")

    @property
    def notes_folder(self) -> Path:
        """Where lock and logs are; it outlives the environment."""
        return self.root / ".venv-setup"

    @property
    def stamp_path(self) -> Path:
        """What the last finished set-up wrote."""
        return self.venv.folder / "gesso-setup.json"

    @property
    def marker(self) -> Path:
        """Exists from the beginning of a set-up until it has finished."""
        return self.venv.folder / "gesso-setup.unfinished"

    def ensure(self) -> Stamp:
        """A set-up that works, made or mended now if need be. Raises SetupError."""
        stamp = read_stamp(self.stamp_path)
        if stamp and not why_set_up(stamp, self.facts()):
            return stamp
        with only_one(self.notes_folder / "lock"):
            # another launcher may have finished in the meantime
            stamp = read_stamp(self.stamp_path)
            if reason := why_set_up(stamp, self.facts()):
                return self._set_up(stamp, reason)
        assert stamp
        return stamp

    def facts(self) -> Facts:
        """How things are now. Takes a few milliseconds."""
        texts = self._texts(REQUIREMENTS, BARE_REQUIREMENTS, CONSTRAINTS)
        tests = self._texts(TEST_REQUIREMENTS) if self.has_tests else []
        pins = read_pins("\n".join([f"torch=={TORCH}", *texts[:2], *tests]))
        packages = installed(self.venv.site_packages)
        return Facts(
            requirements=digest([TORCH, *texts]),
            tests=digest([TORCH, *texts, *tests]) if self.has_tests else "",
            root=str(self.root),
            base=self.venv.base(),
            hardware=digest([graphics_fingerprint(self.system, self.probe)]),
            choice=str(self.choice),
            missing=tuple(missing(pins, packages)),
            packages=tuple(sorted(packages)),
            is_interrupted=self.marker.exists(),
        )

    def _texts(self, *names: str) -> list[str]:
        return [(self.root / name).read_text("utf-8") for name in names]

    def _set_up(self, stamp: Stamp | None, reason: str) -> Stamp:
        """All steps, in order. What an earlier run got done is kept."""
        started = time.monotonic()
        say(f"Setting up ({reason}).")
        machine = this_machine(self.probe)
        say(describe_machine(machine))
        detection = detect(machine, self.probe)
        plan = make_plan(machine, detection, self.choice)
        say(describe_plan(detection, plan))
        if stamp and serves(stamp.build, plan.build) and self._differs_in_device_only(stamp):
            return self._finish(plan, stamp.build, stamp.source)
        self._check_space(stamp, plan)
        self._prepare_venv(stamp)
        self.marker.touch()
        build, source = self._install_torch(stamp, plan)
        # remembered at once, so that an interrupted set-up does not fetch it again
        write_stamp(self.stamp_path, replace(self._stamp(plan, build, source), requirements=""))
        self._install_requirements()
        check_torch(self.venv, plan)
        done = self._finish(plan, build, source)
        say(f"Ready after {spent(time.monotonic() - started)}.")
        return done

    def _differs_in_device_only(self, stamp: Stamp) -> bool:
        now = self.facts()
        return not why_set_up(replace(stamp, hardware=now.hardware, choice=now.choice), now)

    def _stamp(self, plan: Plan, build: str, source: str) -> Stamp:
        now, before = self.facts(), read_stamp(self.stamp_path)
        kept = before.tests if before and before.requirements == now.requirements else ""
        return Stamp(
            requirements=now.requirements,
            tests=now.tests or kept,
            root=now.root,
            base=now.base,
            hardware=now.hardware,
            choice=now.choice,
            build=build,
            source=source,
            device=plan.device,
            environment=plan.environment,
            packages=now.packages,
        )

    def _finish(self, plan: Plan, build: str, source: str) -> Stamp:
        done = self._stamp(plan, build, source)
        write_stamp(self.stamp_path, done)
        self.marker.unlink(missing_ok=True)
        return done

    def _prepare_venv(self, stamp: Stamp | None) -> None:
        """An environment whose Python and pip work, with no half-installed packages in it."""
        venv = self.venv
        for package in damaged(venv.site_packages):
            # pip then installs it anew, over whatever files are there
            say(f"  {package.name.partition('-')[0]} is damaged and will be installed again.")
            shutil.rmtree(package)
        if not works(venv):
            with step("Make the environment .venv"):
                make_again(venv)
        elif stamp and stamp.root != str(self.root):
            relocate(venv, str(Path(stamp.root) / venv.folder.name))

    def _install_torch(self, stamp: Stamp | None, plan: Plan) -> tuple[str, str]:
        """Build and index of the PyTorch that is there afterwards."""
        if stamp and self._has_torch(stamp, plan):
            return stamp.build, stamp.source
        packages = installed(self.venv.site_packages)
        with step(f"Install PyTorch {TORCH} ({plan.build})"):
            if stale := [name for name in packages if name.startswith(BUILD_PACKAGES)]:
                self._pip().uninstall(*stale)
            return plan.build, self._fetch_torch(plan)

    def _has_torch(self, stamp: Stamp | None, plan: Plan) -> bool:
        """Whether a PyTorch that does for the plan is installed."""
        is_there = "torch" not in self.facts().missing
        return is_there and stamp is not None and serves(stamp.build, plan.build)

    def _fetch_torch(self, plan: Plan) -> str:
        """The index that PyTorch came from: the device's own, or pip's when that fails."""
        wanted = (f"torch=={TORCH}", *plan.extras)
        if plan.index:
            why = why_unreachable(plan.index)
            if not why:
                try:
                    self._pip().install(*wanted, index=plan.index)
                except PipFailed as error:
                    if error.is_final:
                        raise
                    why = error.what
                else:
                    return plan.index
            say(f"  {plan.index} can't be used: {why.rstrip('.')}. Trying pip's own index.")
            if warning := without_own_index(plan.build, self.system):
                say(f"  {warning}")
        self._pip().install(*wanted)
        return ""

    def _install_requirements(self) -> None:
        """Everything else, with the PyTorch that is there.

        pip is not to complain that packages installed bare lack something: they shall.
        """
        files = [REQUIREMENTS, *([TEST_REQUIREMENTS] if self.has_tests else [])]
        options = [part for name in files for part in ("--requirement", str(self.root / name))]
        with step(f"Install the libraries of {' and '.join(files)}"):
            constraints = str(self.root / CONSTRAINTS)
            options += ["--constraint", constraints, "--no-warn-conflicts"]
            self._pip().install(f"torch=={TORCH}", *options)
            bare = str(self.root / BARE_REQUIREMENTS)
            self._pip().install("--no-deps", "--requirement", bare, "--no-warn-conflicts")

    def _pip(self) -> Pip:
        """pip; downloads go beside `.venv` where the system's temporary folder is small."""
        is_small = free_gb(Path(tempfile.gettempdir())) < DOWNLOAD_GB
        temporary = self.notes_folder / "downloads" if is_small else None
        return Pip(venv=self.venv, log=self.notes_folder / "pip.log", temporary=temporary)

    def _check_space(self, stamp: Stamp | None, plan: Plan) -> None:
        """Raises SetupError while nothing is spoilt yet."""
        needed = LIBRARIES_GB if self.facts().missing else 0
        if not self._has_torch(stamp, plan):
            needed = plan.space_gb
        free = free_gb(self.root)
        if free < needed:
            raise SetupError(
                f"{self.root} is on a disk with {free:.1f} GB free; setting up needs "
                f"about {needed} GB.",
                "Free some space or move the program to another disk, then start again.",
            )


def free_gb(folder: Path) -> float:
    """Free space of the disk that a folder is on."""
    return shutil.disk_usage(folder).free / 1e9


def make_again(venv: Venv) -> None:
    """Make an environment, keeping the packages of one that was made for the same Python."""
    is_same = venv.version() == f"{sys.version_info[0]}.{sys.version_info[1]}"
    if is_same:
        unlink_pythons(venv)
        make(venv, clear=False)
    if not is_same or not works(venv):
        make(venv, clear=True)


def check_torch(venv: Venv, plan: Plan) -> None:
    """Say so if PyTorch can't use the card. Raises SetupError if it can't even be imported."""
    with step("Check PyTorch"):
        done = subprocess.run(
            [str(venv.python), "-c", _QUESTION],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(dict(os.environ)) | dict(plan.environment),
        )
        if done.returncode:
            raise explain_torch(done.stderr, plan)
        if plan.build != "cpu" and done.stdout.split()[-1:] != ["True"]:
            say(f"  PyTorch can't use {plan.device}: pictures will be made on the processor.")


_QUESTION: Final = (
    "import torch; print(torch.cuda.is_available() or torch.xpu.is_available() "
    "or torch.backends.mps.is_available())"
)


def explain_torch(trace: str, plan: Plan) -> SetupError:
    """Why PyTorch can't be imported, and what to do."""
    last = trace.strip().splitlines()[-1] if trace.strip() else "no reason given"
    if "DLL" in last or "WinError 126" in last:
        return SetupError(
            "PyTorch can't start: a part of Windows that it needs is missing.",
            "Install https://aka.ms/vs/17/release/vc_redist.x64.exe, then start again.",
        )
    return SetupError(
        f"PyTorch ({plan.build}) does not work on this machine: {last}",
        "Run: python launch.py --reinstall (or --use-cpu). If it stays, report it with: "
        "python launch.py doctor",
    )
