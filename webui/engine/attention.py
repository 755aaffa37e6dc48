"""Which code does the attention on a GPU: measured once, then remembered for device and versions.

PyTorch has several kinds and takes one by rules of its own, which is nearly always right; another
is taken only where it is clearly faster here. What is used is written with each picture.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from webui.core.files import write_atomic

log = logging.getLogger(__name__)

DEFAULT: Final = "default"
FLASH: Final = "flash"
EFFICIENT: Final = "efficient"
XFORMERS: Final = "xformers"
GAIN: Final = 1.05
"""How many times as fast another kind must be."""
SHAPES: Final = (
    (10, 4096, 4096, 64),
    (20, 1024, 1024, 64),
    (10, 4096, 77, 64),
    (8, 4096, 4096, 40),
)
"""Heads, places that ask, places that are asked, width of a head: of SDXL at 1024 and of SD 1.5 at
512 pixels."""
ROWS: Final = 2
CALLS: Final = 10
KINDS: Final = (DEFAULT, FLASH, EFFICIENT, XFORMERS)
SWITCHES: Final[Mapping[str, tuple[bool, bool]]] = MappingProxyType(
    {FLASH: (False, True), EFFICIENT: (False, False)}
)
"""Whether PyTorch may use cuDNN's kind, and the flash kind; it falls back by itself to what is left
where one can't do what is asked. For other kinds it is left as it is."""

Measure = Callable[[str], float | None]
"""Seconds that a kind takes; None for one that does not work here."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """The kind in use on a device."""

    kind: str = DEFAULT

    def switch(self) -> None:
        """Tell PyTorch, for this whole process."""
        if self.kind in SWITCHES:
            has_cudnn, has_flash = SWITCHES[self.kind]
            torch.backends.cuda.enable_cudnn_sdp(has_cudnn)
            torch.backends.cuda.enable_flash_sdp(has_flash)

    def prepare(self, network: nn.Module) -> None:
        """Tell a network that asks something else than PyTorch. Called once for each."""
        if self.kind == XFORMERS and hasattr(network, "set_attn_processor"):
            from diffusers.models.attention_processor import XFormersAttnProcessor

            processor: Any = XFormersAttnProcessor()
            getattr(network, "set_attn_processor")(processor)  # noqa: B009 - untyped there


def choose_attention(
    device: torch.device, dtype: torch.dtype, file: Path | None, measure: Measure | None = None
) -> Attention:
    """The kind for a device: what `file` remembers of it, else what is measured now and then
    remembered. Without a file, or a GPU, PyTorch's own choice. `measure` stands in for a GPU."""
    if file is None or (device.type != "cuda" and measure is None):
        return Attention()
    key = _key(device, dtype)
    known = _read(file)
    if known.get(key) not in KINDS:
        times = _measured(measure or partial(_time, device, dtype))
        known[key] = fastest(times)
        log.info("Attention: %s, of %s ms.", known[key], _words(times))
        with suppress(OSError):  # measured again at the next start
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps(known, indent=1).encode())
    return Attention(kind=known[key])


def fastest(times: Mapping[str, float]) -> str:
    """The kind to use: PyTorch's own unless another is clearly faster."""
    best = min(times, key=lambda kind: times[kind], default=DEFAULT)
    if DEFAULT in times and times[DEFAULT] < times[best] * GAIN:
        return DEFAULT
    return best


def _measured(measure: Measure) -> dict[str, float]:
    times = {kind: measure(kind) for kind in KINDS}
    return {kind: taken for kind, taken in times.items() if taken is not None}


def _time(device: torch.device, dtype: torch.dtype, kind: str) -> float | None:
    """Milliseconds of one call of each shape, all together."""
    with _switched(Attention(kind=kind)):
        try:
            return sum(_time_shape(device, dtype, kind, shape) for shape in SHAPES)
        except (ImportError, RuntimeError, NotImplementedError, ValueError, OSError) as error:
            log.debug("Attention of the kind %s does not work here: %s", kind, error)
            return None


def _time_shape(
    device: torch.device, dtype: torch.dtype, kind: str, shape: tuple[int, int, int, int]
) -> float:
    heads, asking, asked, width = shape
    query = torch.zeros(ROWS, asking, heads, width, device=device, dtype=dtype)
    key = torch.zeros(ROWS, asked, heads, width, device=device, dtype=dtype)
    run = _call(kind, query, key)
    for _ in range(3):
        run()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]
    marks[0].record()
    for _ in range(CALLS):
        run()
    marks[1].record()
    marks[1].synchronize()
    return float(marks[0].elapsed_time(marks[1])) / CALLS


def _call(kind: str, query: Tensor, key: Tensor) -> Callable[[], Any]:
    """One attention; xformers is imported only to be measured."""
    if kind == XFORMERS:
        ops = import_module("xformers.ops")
        return partial(ops.memory_efficient_attention, query, key, key)
    query, key = query.transpose(1, 2), key.transpose(1, 2)
    return partial(scaled_dot_product_attention, query, key, key)


@contextmanager
def _switched(attention: Attention) -> Iterator[None]:
    before = (
        torch.backends.cuda.cudnn_sdp_enabled(),  # type: ignore[no-untyped-call]
        torch.backends.cuda.flash_sdp_enabled(),  # type: ignore[no-untyped-call]
    )
    attention.switch()
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before[0])
        torch.backends.cuda.enable_flash_sdp(before[1])


def _key(device: torch.device, dtype: torch.dtype) -> str:
    """Changes with everything that could change the answer."""
    is_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_gpu else str(device)
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    parts = (name, f"torch {torch.__version__}", f"cuDNN {cudnn}")
    return ", ".join((*parts, f"xformers {_version(XFORMERS)}", str(dtype)))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _read(file: Path) -> dict[str, str]:
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _words(times: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {taken:.2f}" for kind, taken in times.items())
