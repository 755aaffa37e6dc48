"""The computer around the program: system, processor, memory, Python; GPUs are in `detect`."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from webui.launcher.probe import Probe

SYSTEMS: Final = MappingProxyType({"Linux": "linux", "Windows": "windows", "Darwin": "macos"})
ARCHITECTURES: Final = MappingProxyType({"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a set-up depends on, and what a bug report should say."""

    system: str
    """linux, windows or macos; anything else in its own words."""
    arch: str
    """x86_64, arm64 or another in its own words."""
    release: str
    processor: str
    cores: int
    memory_gb: float
    python: tuple[int, int, int]
    libc: str = ""
    """Linux only: "glibc 2.36", or "" when it isn't glibc."""
    is_wsl: bool = False


def system_name() -> str:
    """What `Machine.system` calls the system this runs on."""
    return SYSTEMS.get(platform.system(), platform.system())


def this_machine(probe: Probe) -> Machine:
    """The computer this runs on."""
    system = system_name()
    arch = platform.machine().lower()
    kernel = platform.release()
    return Machine(
        system=system,
        arch=ARCHITECTURES.get(arch, arch),
        release=release(system, probe) or f"{platform.system()} {kernel}",
        processor=processor(system, probe) or platform.processor() or arch,
        cores=usable_cores(),
        memory_gb=memory_gb(system, probe),
        python=(sys.version_info[0], sys.version_info[1], sys.version_info[2]),
        libc=" ".join(platform.libc_ver()).strip() if system == "linux" else "",
        is_wsl="microsoft" in kernel.lower(),
    )


def usable_cores() -> int:
    """Processor threads that this process may use, which in a container can be fewer than all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release(system: str, probe: Probe) -> str:
    """The system's name and version as people say it, or ""."""
    if system == "macos":
        version = probe.run("sw_vers", "-productVersion").text.strip()
        return f"macOS {version}" if version else ""
    if system == "windows":
        return f"Windows {platform.win32_ver()[0]} ({platform.win32_ver()[1]})"
    text = "".join(probe.read("/etc/os-release").values())
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', text, re.MULTILINE)
    return name[1] if name else ""


def processor(system: str, probe: Probe) -> str:
    """The processor's name, or ""."""
    if system == "macos":
        return probe.run("sysctl", "-n", "machdep.cpu.brand_string").text.strip()
    if system == "windows":
        return os.environ.get("PROCESSOR_IDENTIFIER", "")
    text = "".join(probe.read("/proc/cpuinfo").values())
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return name[1] if name else ""


def memory_gb(system: str, probe: Probe) -> float:
    """Installed memory in GiB, or 0 when unknown."""
    if system == "macos":
        digits = probe.run("sysctl", "-n", "hw.memsize").text.strip()
        return int(digits) / 2**30 if digits.isdigit() else 0.0
    if system == "windows":
        return _windows_memory_gb()
    found = re.search(r"MemTotal:\s+(\d+) kB", "".join(probe.read("/proc/meminfo").values()))
    return int(found[1]) / 2**20 if found else 0.0


def _windows_memory_gb() -> float:
    """Asks the system library, which exists on Windows only; hence the import in here."""
    if sys.platform != "win32":
        return 0.0
    import ctypes

    kib = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kib))
    return kib.value / 2**20


def graphics_fingerprint(system: str, probe: Probe) -> str:
    """A text that changes when a graphics card or its driver does. Takes a few milliseconds.

    Asking the drivers' own tools takes up to seconds, too long for each start.
    """
    if system == "windows":
        return _windows_displays()
    if system != "linux":
        return platform.machine()
    displays = [
        " ".join(sorted(text.split()))
        for text in probe.read("/sys/bus/pci/devices/*/uevent").values()
        if is_display(text)
    ]
    driver = [t.partition("\n")[0] for t in probe.read("/proc/driver/nvidia/version").values()]
    # WSL has no display on its PCI bus; its drivers' folder names carry the version
    wsl = sorted(path.name for path in Path("/usr/lib/wsl/drivers").glob("*"))
    return "\n".join([*displays, *driver, *wsl])


def is_display(uevent: str) -> bool:
    """Whether a PCI device is a display or 3D controller (class 03) or an accelerator (12)."""
    return re.search(r"^PCI_CLASS=(3|12)[0-9A-F]{4}$", uevent, re.MULTILINE) is not None


def _windows_displays() -> str:
    """Names and driver versions from the registry, which exists on Windows only."""
    if sys.platform != "win32":
        return ""
    import winreg

    lines = []
    folder = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    for number in range(16):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{folder}\{number:04}") as key:
                names = ("DriverDesc", "DriverVersion")
                lines.append(" ".join(str(winreg.QueryValueEx(key, name)[0]) for name in names))
        except OSError:
            continue
    return "\n".join(lines)
