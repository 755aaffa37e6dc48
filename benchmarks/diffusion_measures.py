"""What both sides of benchmarks/diffusion.py share: the weights, the clock, the file of rows."""

from __future__ import annotations

import gc
import json
import platform
import statistics
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from webui.core.codec import decode
from webui.engine.device import Device, choose_device
from webui.engine.options import Options
from webui.engine.tiny_model import tiny_tensors, write_description
from webui.families import Families
from webui.families.components import Components, Placement
from webui.families.sd15 import CONFIG, StableDiffusion15
from webui.families.sdxl import StableDiffusionXL

GIBIBYTE = 2**30
PROMPT = "a photograph of a red fox standing in deep snow at dawn, soft light, 85mm, number"
NEGATIVE = "blurry, low quality, watermark"
SCALES = {"sd15": 7.5, "sdxl": 5.0}
SIDES = {"sd15": 512, "sdxl": 1024}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement: its name, and what gives its figures; `s` is what is compared."""

    name: str
    run: Callable[[], Mapping[str, Any]]


class Told:
    """What a side is asked for."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.kind: str = told["kind"]
        self.side: str = told["side"]
        self.is_tiny: bool = told["tiny"]
        self.is_quick: bool = told["quick"]
        self.has_compiler: bool = told["compile"]
        self.switches: int = told["switches"]
        self._only: list[str] = told["only"]
        self._lines = Path(told["lines"])
        self.folder = Path(told["dir"])
        options = {"use_cpu": told["cpu"], "threads": told["threads"]}
        self.device: Device = choose_device(decode(Options, options))
        torch.set_num_threads(self.device.threads)
        self.is_gpu = self.device.placement.device.type == "cuda"
        few = 2 if self.is_tiny else 30 if self.is_gpu else 4
        self.steps: int = told["steps"] or few
        self.repeats = 1 if self.is_tiny else (2 if self.is_quick else 4) if self.is_gpu else 2

    def pixels(self, kind: str) -> int:
        """The side of a picture."""
        return 64 if self.is_tiny else SIDES[kind]

    def wants(self, name: str) -> bool:
        """Whether a row is asked for."""
        return not self._only or any(name.startswith(each) for each in self._only)

    def measure(self, row: Row) -> None:
        """Run one row, whatever comes of it, and write it down."""
        if not self.wants(row.name):
            return
        started = time.perf_counter()
        try:
            self.write(row.name, row.run())
        except Exception as error:  # noqa: BLE001 - the other rows are worth having
            traceback.print_exc(limit=-6)
            self.write(row.name, {"failed": f"{type(error).__name__}: {error}"[:400]})
        print(f"   {row.name} took {time.perf_counter() - started:.1f} s", flush=True)
        free()

    def write(self, name: str, figures: Mapping[str, Any]) -> None:
        """One line of the file."""
        row = {"row": name, "side": self.side, **_rounded(figures)}
        print(json.dumps(row), flush=True)
        with self._lines.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def facts(self) -> None:
        """Where it was measured."""
        import diffusers
        import transformers

        told: dict[str, Any] = {"label": self.device.label, "system": platform.platform()}
        for library in (torch, diffusers, transformers):
            told[library.__name__] = library.__version__
        told["precision"] = str(self.device.placement.dtype)
        told["threads"] = torch.get_num_threads()
        if self.is_gpu:
            told["memory_gib"] = total_bytes() / GIBIBYTE
            told["cudnn"] = torch.backends.cudnn.version()
        self.write(f"machine-{self.kind}", told)

    def family(self, kind: str) -> StableDiffusion15 | StableDiffusionXL:
        """The one that reads the weights."""
        make = StableDiffusion15 if kind == "sd15" else StableDiffusionXL
        return make(self.description(kind))

    @property
    def families(self) -> Families:
        """Both."""
        return Families([self.family("sd15"), self.family("sdxl")])

    def description(self, kind: str) -> Path:
        """The folder that says what a single file does not."""
        if not self.is_tiny:
            return CONFIG.parent / kind
        folder = self.folder / f"{kind}-description"
        return folder if folder.exists() else write_description(folder, kind)

    def checkpoint(self, kind: str, name: str = "a") -> Path:
        """A single file of random weights in the original layout, written at the first asking; by
        other names the same file."""
        file = self.folder / f"{kind}-{name}.safetensors"
        if file.exists():
            return file
        if name != "a":
            file.hardlink_to(self.checkpoint(kind))
            return file
        started = time.perf_counter()
        _write_random(file, self.description(kind), kind, self.device.placement)
        print(f"   wrote {file.name} in {time.perf_counter() - started:.1f} s", flush=True)
        free()
        return file

    def load(self, kind: str, **changes: Any) -> Components:
        """The models of a checkpoint without any of our machinery."""
        placement = Placement(
            device=self.device.placement.device,
            dtype=changes.get("dtype", self.device.placement.dtype),
            is_channels_last=changes.get("is_channels_last", False),
        )
        return self.family(kind).load(self.checkpoint(kind), placement)

    def unet_arguments(self, kind: str, unet: Any, rows: int) -> dict[str, Any]:
        """Of one call of the UNet."""
        device, dtype = self.device.placement.device, unet.dtype
        cells = self.pixels(kind) // 8
        draw = torch.Generator(device).manual_seed(7)

        def noise(*shape: int) -> Tensor:
            return torch.randn(*shape, device=device, dtype=dtype, generator=draw)

        given: dict[str, Any] = {
            "sample": noise(rows, int(unet.config.in_channels), cells, cells),
            "timestep": torch.full((), 601.0, device=device),
            "encoder_hidden_states": noise(rows, 77, int(unet.config.cross_attention_dim)),
        }
        if kind == "sdxl":
            wide = int(unet.config.projection_class_embeddings_input_dim)
            wide -= 6 * int(unet.config.addition_time_embed_dim)
            sizes = torch.full((rows, 6), float(self.pixels(kind)), device=device, dtype=dtype)
            given["added_cond_kwargs"] = {"text_embeds": noise(rows, wide), "time_ids": sizes}
        return given


def _write_random(file: Path, description: Path, kind: str, placement: Placement) -> None:
    """Initialised where it is quick, in half precision."""
    from safetensors.torch import save_file

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        with torch.inference_mode(False), torch.no_grad(), torch.device(placement.device):
            tensors = tiny_tensors(description, kind)
    finally:
        torch.set_default_dtype(before)
    half = {key: tensor.detach().half().cpu() for key, tensor in tensors.items()}
    part = file.with_suffix(".part")
    save_file(half, part)
    part.rename(file)


def seconds(run: Callable[[], object], repeats: int, warm: int = 1) -> dict[str, Any]:
    """Wall clock of one run: the first, and of those after the warm ones the median."""
    times = []
    for _ in range(warm + repeats):
        sync()
        started = time.perf_counter()
        run()
        sync()
        times.append(time.perf_counter() - started)
    return {"s": statistics.median(times[warm:]), "first_s": times[0], "times": times}


def on_gpu(run: Callable[[], object], calls: int = 5, groups: int = 5) -> float:
    """Milliseconds of one call, the median of groups of calls one after the other."""
    for _ in range(2):
        run()
    found = []
    for _ in range(groups):
        if not torch.cuda.is_available():
            started = time.perf_counter()
            run()
            found.append((time.perf_counter() - started) * 1e3)
            continue
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        marks[0].record()
        for _ in range(calls):
            run()
        marks[1].record()
        sync()
        found.append(marks[0].elapsed_time(marks[1]) / calls)
    return statistics.median(found)


def with_peak(run: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """What it gives, and the most memory that was taken while it ran."""
    free()
    if not torch.cuda.is_available():
        return dict(run())
    torch.cuda.reset_peak_memory_stats()
    figures = dict(run())
    peaks = torch.cuda.max_memory_reserved(), torch.cuda.max_memory_allocated()
    return {**figures, "peak_gib": peaks[0] / GIBIBYTE, "allocated_gib": peaks[1] / GIBIBYTE}


def error_of(one: Tensor, exact: Tensor) -> float:
    """How far one is from the other, as a share."""
    return float((one.double() - exact.double()).norm() / exact.double().norm())


def cap(gibibytes: float | None) -> None:
    """Let this process take no more of the GPU than so much; None: all."""
    if torch.cuda.is_available():
        free()
        share = 1.0 if gibibytes is None else min(1.0, gibibytes * GIBIBYTE / total_bytes())
        torch.cuda.set_per_process_memory_fraction(share)


def total_bytes() -> int:
    """Of the GPU."""
    return int(torch.cuda.get_device_properties(0).total_memory)


def free() -> None:
    """Give back what nothing uses."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def sync() -> None:
    """Wait for the GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def resident_kib() -> int:
    """Of the computer's memory that this process has; 0 where that is not told."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _round(value) for key, value in figures.items()}


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_round(each) for each in value]
    return value
