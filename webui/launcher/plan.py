"""Which build of PyTorch suits a machine, from where, and what comes with it. Pure rules.

Facts about the builds of PyTorch 2.13 are from its release notes and binary build matrix; to move
to another release, change the tables together with `TORCH`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from webui.launcher.detect import Detection, Gpu, Vendor
from webui.launcher.errors import SetupError
from webui.launcher.machine import Machine

TORCH: Final = "2.13.0"
TORCH_INDEX: Final = "https://download.pytorch.org/whl"


@dataclass(frozen=True, kw_only=True)
class CudaBuild:
    """A build for NVIDIA cards: the oldest driver and the compute capabilities it works with."""

    name: str
    driver: int
    capabilities: tuple[float, float]


# CUDA 13 has no code for cards older than Turing; 12.6 has none for Blackwell. The oldest drivers
# are those of CUDA's minor-version compatibility (13.x: 580, 12.x: 525, on Windows 528).
CUDA_BUILDS: Final = (
    CudaBuild(name="cu130", driver=580, capabilities=(7.5, 12.9)),
    CudaBuild(name="cu126", driver=528, capabilities=(5.0, 9.0)),
)
ROCM_BUILD: Final = "rocm7.2"
ROCM_ARCHITECTURES: Final = re.compile(r"gfx(9(00|06|08|0a|42|50)|1030|110[012]|115[01]|120[01])")
# Smaller RDNA 2 cards run the code of gfx1030. The same trick hangs gfx1103 (pytorch#179653).
ROCM_OVERRIDES: Final = MappingProxyType(
    {"gfx1031": "10.3.0", "gfx1032": "10.3.0", "gfx1034": "10.3.0"}
)
# PCI ids of Arc A and B, Data Center Max, and the Arc parts of Core Ultra 1, 2 and 3
XPU_DEVICES: Final = re.compile(r"56[9a-c].|e2[01].|0bd.|7d[45d][15]|64[2ab]0|b0[89ab].")

XFORMERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "2.8.0": "0.0.32.post2",
        "2.9.1": "0.0.33.post2",
        "2.10.0": "0.0.34",
    }
)
"""The xformers release whose kernels load with a PyTorch; others load none and only slow down."""

# Free space that setting up needs (GB). .venv was measured for cpu (1.5) and cu130 (5.6) and is
# estimated from the builds' sizes for the others; the rest is room for downloads.
SPACE_GB: Final = MappingProxyType(
    {"cpu": 3, "mps": 3, "cu126": 11, "cu130": 10, ROCM_BUILD: 25, "xpu": 12}
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the person asked for that changes the plan."""

    use_cpu: bool = False
    device_id: str = ""
    torch_index: str = TORCH_INDEX


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to install for a machine, and why."""

    device: str
    """What makes the pictures, in words."""
    build: str
    index: str = ""
    """Where that build is; "" for pip's own index."""
    extras: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables the server needs for this device."""
    notes: tuple[str, ...] = ()

    @property
    def space_gb(self) -> int:
        """Free space that setting up needs, downloads included."""
        return SPACE_GB[self.build]


def make_plan(machine: Machine, detection: Detection, choice: Choice) -> Plan:
    """The first device that PyTorch has a build for, the processor when there is none.

    Raises SetupError when PyTorch can't run on the machine at all, or the asked-for card is
    not there.
    """
    refuse_unsupported(machine)
    if choice.use_cpu:
        return _cpu_plan(machine, choice)
    notes = list(detection.notes)
    for outcome in _device_plans(machine, detection, choice):
        if isinstance(outcome, Plan):
            return replace(outcome, notes=(*notes, *outcome.notes))
        notes.append(outcome)
    return replace(_cpu_plan(machine, choice), notes=tuple(notes))


def refuse_unsupported(machine: Machine) -> None:
    """Raises SetupError for machines that PyTorch has no builds for."""
    here = f"PyTorch {TORCH} has no build for {machine.release} on {machine.arch}."
    if machine.system == "macos" and machine.arch != "arm64":
        raise SetupError(here, "Macs with an Intel processor are no longer supported by it.")
    if machine.system == "windows" and machine.arch != "x86_64":
        raise SetupError(here, "Install the 64-bit x64 Python from python.org and use that.")
    if machine.system == "linux" and not machine.libc.startswith("glibc"):
        raise SetupError(here, "Use a system with glibc, such as Debian, Ubuntu or Fedora.")
    if machine.arch not in ("x86_64", "arm64"):
        raise SetupError(here, "It needs a 64-bit x86 or ARM processor.")


def _device_plans(machine: Machine, detection: Detection, choice: Choice) -> Iterator[Plan | str]:
    """A plan for each vendor's cards in order of preference, or why they can't be used."""
    for vendor, planner in (
        (Vendor.NVIDIA, _cuda_plan),
        (Vendor.AMD, _rocm_plan),
        (Vendor.INTEL, _xpu_plan),
        (Vendor.APPLE, _mps_plan),
    ):
        cards = tuple(card for card in detection.gpus if card.vendor == vendor)
        if cards:
            yield planner(machine, cards, choice)


def chosen_card(cards: tuple[Gpu, ...], choice: Choice) -> Gpu:
    """The card that `--device-id` names, or the first. Raises SetupError if it isn't there."""
    if not choice.device_id.isdigit():
        return cards[0]
    for card in cards:
        if card.index == int(choice.device_id):
            return card
    numbers = ", ".join(f"{card.index} ({card.name})" for card in cards)
    raise SetupError(
        f"There is no graphics card number {choice.device_id}.",
        f"Start with --device-id and one of: {numbers}.",
    )


def _cuda_plan(machine: Machine, cards: tuple[Gpu, ...], choice: Choice) -> Plan | str:
    """The newest CUDA build that runs on all cards; else one that runs on the chosen card."""
    card = chosen_card(cards, choice)
    fitting = [build for build in CUDA_BUILDS if runs_on(build, card)]
    if not fitting:
        return _no_cuda(card)
    build = next((b for b in fitting if all(runs_on(b, other) for other in cards)), fitting[0])
    left_out = [other.name for other in cards if not runs_on(build, other)]
    extra = xformers_for(TORCH, build.name)
    return Plan(
        device=describe(card, cards),
        build=build.name,
        index=f"{choice.torch_index}/{build.name}",
        extras=(f"xformers=={extra}",) if extra else (),
        notes=tuple(f"{name} can't be used together with {card.name}." for name in left_out),
    )


def runs_on(build: CudaBuild, card: Gpu) -> bool:
    """Whether a CUDA build has code for a card and the card's driver is new enough for it."""
    low, high = build.capabilities
    return driver_number(card) >= build.driver and low <= capability(card) <= high


def driver_number(card: Gpu) -> int:
    """The leading number of a driver; Linux' 525 does what Windows' 528 does."""
    number = int(card.driver.partition(".")[0] or 0)
    return 528 if number == 525 else number


def capability(card: Gpu) -> float:
    """A card's compute capability; by its name where the driver did not say.

    GeForce 700 to 1000, TITAN X to V, and Tesla and Quadro with P, M or GV are older than Turing.
    """
    if re.fullmatch(r"\d+\.\d", card.architecture):
        return float(card.architecture)
    older = r"GTX (7|9|10)\d\d|GT 10\d\d|TITAN (X|V)|(Tesla|Quadro) (P|M|GV|V)\d|GeForce (9|MX)"
    return 6.1 if re.search(older, card.name) else 8.6


def _no_cuda(card: Gpu) -> str:
    """Why a card has no build, and what to do."""
    if capability(card) < min(build.capabilities[0] for build in CUDA_BUILDS):
        return f"{card.name} is too old for PyTorch {TORCH}; pictures are made on the processor."
    needed = min(
        build.driver
        for build in CUDA_BUILDS
        if build.capabilities[0] <= capability(card) <= build.capabilities[1]
    )
    return (
        f"The driver {card.driver} is too old for {card.name}. "
        f"Install NVIDIA's driver {needed} or newer, then start again to use the card."
    )


def xformers_for(torch: str, build: str) -> str | None:
    """The xformers release that pairs with a CUDA build of PyTorch, or None."""
    return XFORMERS.get(torch) if build.startswith("cu") else None


def _rocm_plan(machine: Machine, cards: tuple[Gpu, ...], choice: Choice) -> Plan | str:
    """The ROCm build, hiding cards it has no code for: one such card stops all of them."""
    usable = tuple(card for card in cards if has_rocm_code(card))
    if machine.system != "linux" or machine.arch != "x86_64":
        return f"{cards[0].name} can't be used: PyTorch {TORCH} supports AMD cards on Linux only."
    if not usable:
        return f"{cards[0].name} ({cards[0].architecture}) can't be used: ROCm has no code for it."
    card = chosen_card(usable, choice)
    environment = {}
    if len(usable) < len(cards):
        environment["HIP_VISIBLE_DEVICES"] = ",".join(str(card.index) for card in usable)
    if card.architecture in ROCM_OVERRIDES:
        environment["HSA_OVERRIDE_GFX_VERSION"] = ROCM_OVERRIDES[card.architecture]
    return Plan(
        device=describe(card, usable),
        build=ROCM_BUILD,
        index=f"{choice.torch_index}/{ROCM_BUILD}",
        environment=environment,
    )


def has_rocm_code(card: Gpu) -> bool:
    """Whether the ROCm build has code that runs on a card, if need be that of its sibling."""
    name = card.architecture
    return name in ROCM_OVERRIDES or ROCM_ARCHITECTURES.fullmatch(name) is not None


def _xpu_plan(machine: Machine, cards: tuple[Gpu, ...], choice: Choice) -> Plan | str:
    """The XPU build for Arc; other Intel graphics are slower than the processor they are in."""
    usable = tuple(c for c in cards if XPU_DEVICES.fullmatch(c.architecture))
    if not usable or machine.arch != "x86_64":
        return f"{cards[0].name} can't make pictures; only Intel's Arc graphics can."
    return Plan(
        device=describe(chosen_card(usable, choice), usable),
        build="xpu",
        index=f"{choice.torch_index}/xpu",
    )


def _mps_plan(machine: Machine, cards: tuple[Gpu, ...], choice: Choice) -> Plan | str:
    """The ordinary build for Apple chips, which has Metal in it."""
    return Plan(
        device=cards[0].name,
        build="mps",
        # a few operations exist on the processor only
        environment={"PYTORCH_ENABLE_MPS_FALLBACK": "1"},
    )


def _cpu_plan(machine: Machine, choice: Choice) -> Plan:
    """The build for processors. Only on Linux is it not what pip's own index has."""
    index = f"{choice.torch_index}/cpu" if machine.system == "linux" else ""
    return Plan(device="the processor", build="cpu", index=index)


def describe(card: Gpu, cards: tuple[Gpu, ...]) -> str:
    """A card with its memory, and how many more there are."""
    memory = f" ({card.memory_mb / 1024:.0f} GB)" if card.memory_mb else ""
    more = f" and {len(cards) - 1} more" if len(cards) > 1 else ""
    return f"{card.name}{memory}{more}"


def without_own_index(build: str, system: str) -> str:
    """What a person should know when a build comes from pip's own index instead, or "".

    PyPI's builds of this release are CUDA 13.0 on Linux, the processor's on Windows.
    """
    if build in ("mps", "cu130" if system == "linux" else "cpu"):
        return ""
    if build == "cpu":
        return "PyTorch from there has code for NVIDIA cards in it and takes several GB more."
    return (
        "PyTorch from there may not use your graphics card. When the address can be reached "
        "again, run: python launch.py --reinstall"
    )


def serves(installed: str, wanted: str) -> bool:
    """Whether an installed build does for a plan: every build can use the processor."""
    return wanted in (installed, "cpu")
