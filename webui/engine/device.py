"""Which device makes the pictures, in which precision and with how many threads."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import torch

from webui.core.errors import EngineError
from webui.engine.options import Options
from webui.families.components import Placement

CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/cpu.max")
NO_HALF: Final = ("GTX 16",)
"""GPUs whose half precision gives NaN, that is black pictures."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """Where this engine works. `label` is its name for people."""

    label: str
    placement: Placement
    threads: int

    @property
    def is_cpu(self) -> bool:
        """Whether there is no accelerator."""
        return self.placement.device.type == "cpu"

    def facts(self) -> Mapping[str, str]:
        """What is recorded with each picture."""
        precision = str(self.placement.dtype).removeprefix("torch.")
        return {"device": self.label, "precision": precision, "threads": str(self.threads)}


class Backend(StrEnum):
    """What PyTorch calls the kinds of devices. AMD's GPUs go by "cuda" too."""

    CUDA = "cuda"
    XPU = "xpu"
    MPS = "mps"
    CPU = "cpu"


def choose_device(options: Options) -> Device:
    """The best device here that the person allows. Raises EngineError for one that isn't there."""
    threads = choose_threads(options.threads, torch.get_num_threads(), usable_cores())
    backend = choose_backend(usable_backends(), use_cpu=options.use_cpu)
    if backend in (Backend.CUDA, Backend.XPU):
        return _gpu(backend, options.device_id, threads)
    if options.device_id:
        raise EngineError(
            f"GPU {options.device_id} was asked for, but PyTorch sees no GPU. "
            "Start without --device-id, or repair the GPU's driver."
        )
    if backend is Backend.MPS:
        placement = Placement(device=torch.device("mps"), dtype=torch.float16)
        return Device(label="Apple GPU", placement=placement, threads=threads)
    return _cpu(threads)


def usable_backends() -> frozenset[Backend]:
    """What this installation of PyTorch finds in this machine."""
    found = {
        Backend.CUDA: torch.cuda.is_available(),
        Backend.XPU: torch.xpu.is_available(),
        Backend.MPS: torch.backends.mps.is_available(),
    }
    return frozenset(backend for backend, is_there in found.items() if is_there)


def choose_backend(usable: Collection[Backend], *, use_cpu: bool) -> Backend:
    """The fastest of those that can be used: NVIDIA's and AMD's, Intel's, Apple's, the CPU."""
    ranked = (Backend.CUDA, Backend.XPU, Backend.MPS)
    best = (backend for backend in ranked if backend in usable and not use_cpu)
    return next(best, Backend.CPU)


def choose_threads(asked: int, library_default: int, cores: float) -> int:
    """As many as the person asked for, else one for each core that may be used.

    Never by load: pixels depend a little on the number of threads, so a machine that is busy at
    one start and idle at the next would not make the same picture again. What would be bad under
    load, threads that spin while they wait, is switched off by `webui.engine.environment`.
    """
    return asked or max(1, min(library_default, int(cores)))


def usable_cores(limit: Path = CGROUP_LIMIT) -> float:
    """Cores that this process may use: its affinity, and a container's share of time."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return min(float(cores), _container_share(limit))


def choose_cpu_dtype(has_amx: bool, has_avx512_bf16: bool) -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, at half the time of float32.

    Told by its flags, not measured: a measurement could come out differently at the next start
    and change the pictures.
    """
    return torch.bfloat16 if has_amx or has_avx512_bf16 else torch.float32


def choose_gpu_dtype(name: str, capability: tuple[int, int] | None) -> torch.dtype:
    """float16, except on GPUs where it is slow (NVIDIA's before Volta) or broken. `capability` is
    NVIDIA's number of a generation; None for other makes, all of which are good at it."""
    is_broken = any(series in name for series in NO_HALF)
    is_slow = capability is not None and capability < (7, 0)
    return torch.float32 if is_broken or is_slow else torch.float16


def has_fp8(capability: tuple[int, int] | None) -> bool:
    """Whether a GPU multiplies matrices of 8 bits: NVIDIA's do since Ada. `capability` is NVIDIA's
    number of a generation; None for other makes and for processors."""
    return capability is not None and capability >= (8, 9)


def multiplies_fp8(device: torch.device) -> bool:
    """Whether this device does, and this version of PyTorch with it, a scale for each row."""
    if device.type != "cuda" or torch.version.hip is not None:
        return False
    if not has_fp8(torch.cuda.get_device_capability(device)):
        return False
    ones = torch.ones(16, 16, device=device).to(torch.float8_e4m3fn)
    scale = torch.ones(16, 1, device=device)
    try:
        torch._scaled_mm(ones, ones.t(), scale_a=scale, scale_b=scale.t(), out_dtype=torch.bfloat16)
    except RuntimeError:  # Ada has scales for rows in newer versions alone
        return False
    return True


def _cpu(threads: int) -> Device:
    dtype = choose_cpu_dtype(
        has_amx=_has("_is_amx_tile_supported"), has_avx512_bf16=_has("_is_avx512_bf16_supported")
    )
    placement = Placement(device=torch.device("cpu"), dtype=dtype, is_channels_last=True)
    label = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return Device(label=label, placement=placement, threads=threads)


def _has(question: str) -> bool:
    """What PyTorch says of this processor; its private questions may go without notice."""
    return bool(getattr(torch.cpu, question, lambda: False)())


def _gpu(backend: Backend, device_id: str, threads: int) -> Device:
    library: Any = torch.xpu if backend is Backend.XPU else torch.cuda
    count = library.device_count()
    if device_id and (not device_id.isdecimal() or int(device_id) >= count):
        raise EngineError(
            f"There is no GPU “{device_id}”. This machine has {count}, counted from 0."
        )
    device = torch.device(backend.value, int(device_id or 0))
    name = library.get_device_name(device)
    is_nvidia = backend is Backend.CUDA and torch.version.hip is None
    capability = torch.cuda.get_device_capability(device) if is_nvidia else None
    dtype = choose_gpu_dtype(name, capability)
    placement = Placement(device=device, dtype=dtype)
    return Device(label=name, placement=placement, threads=threads)


def _container_share(limit: Path) -> float:
    """The time quota of a cgroup, in cores; infinite where there is none."""
    try:
        quota, period = limit.read_text().split()
    except (OSError, ValueError):
        return float("inf")
    return float("inf") if quota == "max" else max(1.0, int(quota) / int(period))
