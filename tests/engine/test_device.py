"""Which device, precision and number of threads the engine chooses."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
import torch

from webui.core.errors import EngineError
from webui.engine.device import (
    Backend,
    choose_backend,
    choose_cpu_dtype,
    choose_device,
    choose_gpu_dtype,
    choose_threads,
    usable_cores,
)
from webui.engine.options import Options

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("asked", "library", "cores", "threads"),
    [
        (0, 8, 16, 8),  # 8 real cores of 16 logical ones: PyTorch's own default
        (0, 8, 4, 4),  # bound to 4 cores
        (0, 64, 2.5, 2),  # a container with a share of 2.5 cores
        (0, 8, 0.5, 1),
        (0, 1, 8, 1),  # OMP_NUM_THREADS=1
        (3, 8, 2, 3),  # the person knows better
    ],
)
def test_threads_follow_the_cores_that_may_be_used(
    asked: int, library: int, cores: float, threads: int
) -> None:
    assert choose_threads(asked, library, cores) == threads


@pytest.mark.parametrize(
    ("limit", "most"), [("150000 100000", 1.5), ("50000 100000", 1.0), ("max 100000", 1e9)]
)
def test_a_containers_share_of_time_counts(tmp_path: Path, limit: str, most: float) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    everything = usable_cores(tmp_path / "absent")
    assert usable_cores(tmp_path / "cpu.max") == min(everything, most)


@pytest.mark.parametrize(
    ("has_amx", "has_avx512_bf16", "dtype"),
    [
        (True, True, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ],
)
def test_bfloat16_where_the_processor_has_it(
    has_amx: bool, has_avx512_bf16: bool, dtype: torch.dtype
) -> None:
    assert choose_cpu_dtype(has_amx, has_avx512_bf16) == dtype


@pytest.mark.parametrize(
    ("name", "capability", "dtype"),
    [
        ("NVIDIA GeForce RTX 4070", (8, 9), torch.float16),
        ("NVIDIA H100 80GB HBM3", (9, 0), torch.float16),
        ("Tesla T4", (7, 5), torch.float16),
        ("NVIDIA GeForce GTX 1660 SUPER", (7, 5), torch.float32),  # half precision gives NaN
        ("NVIDIA GeForce GTX 1080", (6, 1), torch.float32),  # half precision is 64 times slower
        ("AMD Radeon RX 7900 XTX", None, torch.float16),
        ("Intel(R) Arc(TM) A770 Graphics", None, torch.float16),
    ],
)
def test_half_precision_where_a_gpu_is_good_at_it(
    name: str, capability: tuple[int, int] | None, dtype: torch.dtype
) -> None:
    assert choose_gpu_dtype(name, capability) == dtype


@pytest.mark.parametrize(
    ("usable", "use_cpu", "chosen"),
    [
        ({Backend.CUDA}, False, Backend.CUDA),
        ({Backend.XPU, Backend.CUDA}, False, Backend.CUDA),  # Intel's in the processor
        ({Backend.XPU}, False, Backend.XPU),
        ({Backend.MPS}, False, Backend.MPS),
        ({Backend.CUDA}, True, Backend.CPU),
        ({Backend.MPS}, True, Backend.CPU),
        ((), False, Backend.CPU),
    ],
)
def test_the_fastest_kind_of_device_is_chosen(
    usable: Collection[Backend], use_cpu: bool, chosen: Backend
) -> None:
    assert choose_backend(usable, use_cpu=use_cpu) == chosen


def test_the_processor_can_be_asked_for() -> None:
    device = choose_device(Options(use_cpu=True, threads=1))
    assert device.is_cpu
    assert device.label == "CPU, 1 thread"
    assert device.facts()["precision"] in ("bfloat16", "float32")


def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(EngineError, match="7"):
        choose_device(Options(device_id="7"))
