"""Which graphics cards there are: readers of what drivers and systems report.

Every reader is a pure function over text, so that it can be tested with what real machines said.
`detect` asks in order and joins the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from webui.launcher.machine import Machine, is_display
from webui.launcher.probe import NOT_FOUND, Output, Probe


class Vendor(StrEnum):
    """Who made a graphics card."""

    NVIDIA = "NVIDIA"
    AMD = "AMD"
    INTEL = "Intel"
    APPLE = "Apple"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics card as its driver describes it."""

    vendor: Vendor
    name: str
    index: int = 0
    """Its number among the cards of its vendor, as `--device-id` takes it."""
    memory_mb: int | None = None
    """None when it has no memory of its own or doesn't say."""
    driver: str = ""
    architecture: str = ""
    """Compute capability ("8.9"), gfx name ("gfx1100") or PCI device id ("56a0")."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The cards found, and what a person should know about cards that don't answer."""

    gpus: tuple[Gpu, ...]
    notes: tuple[str, ...] = ()


NVIDIA_QUERY: Final = (
    "--query-gpu=index,name,memory.total,driver_version,compute_cap",
    "--format=csv,noheader,nounits",
)
NVIDIA_TOOLS: Final = (
    "nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
    r"C:\Windows\System32\nvidia-smi.exe",
    r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
)
WINDOWS_QUERY: Final = (
    "powershell",
    "-NoProfile",
    "-Command",
    "Get-CimInstance Win32_VideoController | Select-Object Name,DriverVersion,PNPDeviceID"
    " | ConvertTo-Json -Compress",
)
PCI_VENDORS: Final = MappingProxyType(
    {"10DE": Vendor.NVIDIA, "1002": Vendor.AMD, "8086": Vendor.INTEL}
)

_TABLE_DRIVER: Final = re.compile(r"Driver Version: ([\d.]+)")
_TABLE_CARD: Final = re.compile(
    r"^\|\s+(\d+)\s+(\S.*?)\s+(?:On|Off|N/A|WDDM|TCC)\s+\|.*\n\|.*?/\s*(\d+)MiB", re.MULTILINE
)
_KFD_VERSION: Final = re.compile(r"^gfx_target_version (\d+)$", re.MULTILINE)


def detect(machine: Machine, probe: Probe) -> Detection:
    """All graphics cards, each vendor's in the order of its driver."""
    if machine.system == "macos":
        return Detection(gpus=apple(machine))
    nvidia = detect_nvidia(probe)
    on_bus = windows_cards(probe) if machine.system == "windows" else linux_cards(probe)
    amd = detect_amd(probe) if machine.system == "linux" else ()
    others = tuple(
        card
        for card in on_bus
        if card.vendor == Vendor.INTEL or (card.vendor == Vendor.AMD and not amd)
    )
    has_silent_nvidia = not nvidia.gpus and any(c.vendor == Vendor.NVIDIA for c in on_bus)
    notes = nvidia.notes or ((NO_NVIDIA_DRIVER,) if has_silent_nvidia else ())
    return Detection(gpus=nvidia.gpus + amd + others, notes=notes)


NO_NVIDIA_DRIVER: Final = (
    "There is an NVIDIA card, but its driver is not installed. "
    "Install NVIDIA's driver (580 or newer), restart the machine and start again."
)


def apple(machine: Machine) -> tuple[Gpu, ...]:
    """The graphics part of an Apple chip; it shares the machine's memory."""
    if machine.arch != "arm64":
        return ()
    return (Gpu(vendor=Vendor.APPLE, name=machine.processor),)


def detect_nvidia(probe: Probe) -> Detection:
    """NVIDIA's cards by nvidia-smi; drivers older than 510 don't know all we ask for."""
    for tool in NVIDIA_TOOLS:
        queried = probe.run(tool, *NVIDIA_QUERY)
        if queried.code == NOT_FOUND:
            continue
        if cards := read_nvidia_query(queried.text):
            return Detection(gpus=cards)
        table = probe.run(tool)
        if cards := read_nvidia_table(table.text):
            return Detection(gpus=cards)
        return Detection(gpus=(), notes=explain_nvidia(table))
    return Detection(gpus=())


def read_nvidia_query(text: str) -> tuple[Gpu, ...]:
    """Cards from `nvidia-smi --query-gpu=...`; lines that aren't cards are passed over."""
    rows = [[part.strip() for part in line.split(", ")] for line in text.splitlines()]
    return tuple(
        Gpu(
            vendor=Vendor.NVIDIA,
            index=int(row[0]),
            name=row[1],
            # "[N/A]" where the card shares the machine's memory
            memory_mb=int(row[2]) if row[2].isdigit() else None,
            driver=row[3],
            architecture=row[4],
        )
        for row in rows
        if len(row) == 5 and row[0].isdigit()
    )


def read_nvidia_table(text: str) -> tuple[Gpu, ...]:
    """Cards from plain `nvidia-smi`, which cuts long names short and has no capability."""
    driver = _TABLE_DRIVER.search(text)
    return tuple(
        Gpu(
            vendor=Vendor.NVIDIA,
            index=int(number),
            name=name,
            memory_mb=int(memory),
            driver=driver[1] if driver else "",
        )
        for number, name, memory in _TABLE_CARD.findall(text)
    )


def explain_nvidia(output: Output) -> tuple[str, ...]:
    """Why nvidia-smi shows no card, and what to do."""
    if "No devices were found" in output.text:
        return ()
    if "version mismatch" in output.text:
        return ("NVIDIA's driver was updated while running. Restart the machine to use the card.",)
    first = next((line.strip() for line in output.text.splitlines() if line.strip()), "no answer")
    return (
        f"NVIDIA's driver does not work: “{first}” "
        "Restart the machine; if that does not help, install the driver again.",
    )


def detect_amd(probe: Probe) -> tuple[Gpu, ...]:
    """AMD's cards on Linux: by rocminfo, or without ROCm's tools by the kernel's own list.

    PyTorch brings ROCm's libraries along, so the tools are often missing. rocm-smi would add
    nothing: it reads the kernel's list as well.
    """
    told = probe.run("rocminfo")
    return read_rocminfo(told.text) or read_kfd(
        probe.read("/sys/class/kfd/kfd/topology/nodes/*/properties"), linux_cards(probe)
    )


def read_rocminfo(text: str) -> tuple[Gpu, ...]:
    """Cards among the agents that rocminfo lists (processors are agents, too)."""
    agents = re.split(r"^Agent \d+", text, flags=re.MULTILINE)[1:]
    facts = [dict(re.findall(r"^ {2}([A-Z][\w ]+):\s+(.*?)\s*$", a, re.MULTILINE)) for a in agents]
    pools = [re.findall(r"Segment:\s+GLOBAL.*\n\s+Size:\s+(\d+)", agent) for agent in agents]
    cards = [
        Gpu(
            vendor=Vendor.AMD,
            name=fact.get("Marketing Name") or fact["Name"],
            architecture=fact["Name"],
            memory_mb=max(map(int, pool)) // 1024 if pool else None,
        )
        for fact, pool in zip(facts, pools, strict=True)
        if fact.get("Device Type") == "GPU"
    ]
    return _numbered(cards)


def read_kfd(nodes: Mapping[str, str], on_bus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Cards from the kernel's list; names come from the PCI bus, which has the same order."""
    found = [_KFD_VERSION.search(text) for _, text in sorted(nodes.items())]
    versions = [int(match[1]) for match in found if match and match[1] != "0"]
    names = [card.name for card in on_bus if card.vendor == Vendor.AMD]
    if len(names) != len(versions):
        names = ["AMD graphics"] * len(versions)
    cards = [
        Gpu(vendor=Vendor.AMD, name=name, architecture=gfx_name(version))
        for name, version in zip(names, versions, strict=True)
    ]
    return _numbered(cards)


def gfx_name(version: int) -> str:
    """The compiler's name of an AMD architecture: 100302 is gfx1032, 90010 is gfx90a."""
    major, minor, step = version // 10000, version // 100 % 100, version % 100
    return f"gfx{major}{minor:x}{step:x}"


def linux_cards(probe: Probe) -> tuple[Gpu, ...]:
    """Every display on the PCI bus, working driver or not; named by lspci where it is there."""
    names = read_lspci(probe.run("lspci").text)
    return _numbered(list(read_pci(probe.read("/sys/bus/pci/devices/*/uevent"), names)))


def read_pci(devices: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Gpu]:
    """Cards from the kernel's PCI list, in the order of their slots."""
    for _, text in sorted(devices.items()):
        facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        maker, _, device = facts.get("PCI_ID", "").partition(":")
        if is_display(text) and maker in PCI_VENDORS:
            vendor = PCI_VENDORS[maker]
            name = names.get(facts.get("PCI_SLOT_NAME", ""), f"{vendor} graphics {device.lower()}")
            yield Gpu(vendor=vendor, name=name, architecture=device.lower())


def read_lspci(text: str) -> dict[str, str]:
    """Names of the displays by slot, with the domain that short output leaves out."""
    line = re.compile(r"^((?:\w{4}:)?\w\w:\w\w\.\w) [^:]+: (.+?)(?: \(rev \w+\))?$", re.MULTILINE)
    return {
        slot if slot.count(":") == 2 else f"0000:{slot}": _short_name(name)
        for slot, name in line.findall(text)
    }


def _short_name(name: str) -> str:
    """The part in brackets is what people know a card by; a maker's own brackets are not it."""
    name = re.sub(r"^Advanced Micro Devices, Inc\. (\[AMD(/ATI)?\] )?", "AMD ", name)
    maker = next((str(vendor) for vendor in Vendor if name.startswith(vendor)), "")
    known = re.search(r"\[([^\]]+)\]$", name)
    if not known:
        return re.sub(r" (Corporation|Inc\.)", "", name)
    return known[1] if known[1].startswith(maker) else f"{maker} {known[1]}".strip()


def windows_cards(probe: Probe) -> tuple[Gpu, ...]:
    """Cards that Windows lists; one card is not in a list of its own there."""
    output = probe.run(*WINDOWS_QUERY)
    try:
        listed: Any = json.loads(output.text or "[]")
    except ValueError:
        return ()
    return _numbered(list(read_windows(listed if isinstance(listed, list) else [listed])))


def read_windows(listed: list[dict[str, str | None]]) -> Iterator[Gpu]:
    """Cards from Windows' list of video controllers; virtual displays are passed over."""
    for entry in listed:
        ids = re.search(r"VEN_(\w{4})&DEV_(\w{4})", entry.get("PNPDeviceID") or "")
        if ids and ids[1].upper() in PCI_VENDORS:
            yield Gpu(
                vendor=PCI_VENDORS[ids[1].upper()],
                name=entry.get("Name") or "unnamed card",
                driver=entry.get("DriverVersion") or "",
                architecture=ids[2].lower(),
            )


def _numbered(cards: list[Gpu]) -> tuple[Gpu, ...]:
    """The cards with their numbers, counted for each vendor."""
    seen: dict[Vendor, int] = {}
    numbered = []
    for card in cards:
        number = seen.get(card.vendor, 0)
        seen[card.vendor] = number + 1
        numbered.append(replace(card, index=number))
    return tuple(numbered)
