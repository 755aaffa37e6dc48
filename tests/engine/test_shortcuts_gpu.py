"""Step caches over graphs, and matrices in 8 bits, on a GPU.

Run by hand on a machine that has one: pytest -m gpu tests/engine/test_shortcuts_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.engine.denoisers import Plan, asked, parts, prompts, small_unet
from webui.core.request import Guidance, StepCache
from webui.engine.architectures.text import Text
from webui.engine.caching.choice import Caches
from webui.engine.denoise import Asked, Denoiser
from webui.engine.device import multiplies_fp8
from webui.engine.fp8.layer import Fp8Linear
from webui.engine.fp8.packing import quickly_packed
from webui.engine.fp8.scaling import LARGEST, packed, unpacked
from webui.engine.graphs.cuda_recorder import CudaRecorder
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.runner import EagerRunner

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

CALLS = 12
CUDA = torch.device("cuda", 0)
needs_fp8 = pytest.mark.skipif(
    not torch.cuda.is_available() or not multiplies_fp8(CUDA), reason="needs a GPU since Ada"
)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def text(seed: int) -> Text:
    draw = torch.Generator().manual_seed(seed)
    return Text(tokens=torch.randn(1, 7, 8, generator=draw).to(CUDA, torch.float16))


def walked(model: Asked, cache: StepCache | None, rows: int = 2) -> Tensor:
    """Some steps of a run."""
    said = prompts([(text(1), 1.0)], text(2))
    denoise = Denoiser(
        model, Plan(said), Guidance(), 3.0, calls_total=CALLS, is_exact=False, step_cache=cache
    )
    x = torch.randn(rows, 4, 16, 16, generator=torch.Generator().manual_seed(3)).to(CUDA) * 5
    for call in range(CALLS):
        x = x + (denoise(x, 5.0 - 0.3 * call) - x) * 0.1
    return x


def test_both_ways_are_recorded_and_give_the_same_bits() -> None:
    unet = small_unet().to(CUDA, torch.float16)
    model = asked(parts(unet))
    recorder = GraphRunner(unet, CudaRecorder(CUDA), eager_calls=1)
    fast = replace(model, runner=recorder, caches=Caches(unet))
    slow = replace(model, runner=EagerRunner(unet), caches=Caches(unet))
    cache = StepCache(every=3, start=0.0)
    for rows in (2, 1, 2, 2):
        assert torch.equal(walked(fast, cache, rows), walked(slow, cache, rows))
    assert torch.equal(walked(fast, None), walked(slow, None))
    assert recorder.kept_recordings == 5  # two ways for each number of rows, and the plain one
    recorder.forget()
    assert torch.equal(walked(fast, cache), walked(slow, cache))
    recorder.forget()


@needs_fp8
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("columns", [16, 320, 1280, 5120, 12288])
def test_rows_are_packed_as_by_the_plain_way(columns: int, dtype: torch.dtype) -> None:
    """But for the last bit of a division."""
    rows = torch.randn(130, columns, device=CUDA, dtype=dtype)
    rows[7] = 0
    found, expected = quickly_packed(rows), packed(rows)
    torch.testing.assert_close(found[1], expected[1])
    apart = (unpacked(*found) - unpacked(*expected)).abs()
    assert (apart <= expected[1] * LARGEST / 13).all()  # a step is a 14th at most
    assert (apart > 0).float().mean() < 0.01


@needs_fp8
@pytest.mark.parametrize("rows", [1, 2, 77, 4096])
def test_a_layer_is_as_near_as_on_a_processor(rows: int) -> None:
    layer = nn.Linear(640, 1280, device=CUDA, dtype=torch.float16)
    x = torch.randn(2, rows, 640, device=CUDA, dtype=torch.float16)
    exact = nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double())
    values, scale = packed(layer.weight)
    fast: Any = Fp8Linear(layer, layer.weight.cpu, values, scale)
    fast.quantised_values, fast.quantised_scale = values, scale
    answer = fast(x)
    assert (answer - exact).norm() / exact.norm() < 0.06
    assert answer.dtype == torch.float16
