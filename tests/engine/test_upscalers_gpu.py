"""Upscalers on a GPU: half precision, and what is done again because half can't hold it.

Run by hand on a machine that has one: pytest -m gpu tests/engine/test_upscalers_gpu.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.upscaler_files import as_safetensors, new_esrgan
from webui.engine.upscaler_file import load_upscaler
from webui.families.components import Placement

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

GPU = Placement(device=torch.device("cuda"), dtype=torch.float16)
CPU = Placement(device=torch.device("cpu"), dtype=torch.float32)


def test_half_precision_gives_nearly_the_same_picture(tmp_path: Path) -> None:
    """Within two levels of 255, which nobody sees."""
    file = as_safetensors(tmp_path / "a.safetensors", new_esrgan())
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    model = load_upscaler(file, GPU)
    assert model.bytes_per_number == 2
    on_gpu, on_cpu = model(pixels).cpu(), load_upscaler(file, CPU)(pixels)
    assert (on_gpu - on_cpu).abs().max() < 2 / 255


def test_what_half_precision_can_not_hold_is_done_in_full(tmp_path: Path) -> None:
    tensors = new_esrgan()
    for name, factor in (("conv_up2", 1e6), ("conv_hr", 1.0), ("conv_last", 1e-6)):
        tensors[f"{name}.weight"] *= factor
    file = as_safetensors(tmp_path / "a.safetensors", tensors)
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    model = load_upscaler(file, GPU)
    larger = model(pixels)
    assert model.bytes_per_number == 4
    assert (larger.cpu() - load_upscaler(file, CPU)(pixels)).abs().max() < 2 / 255
