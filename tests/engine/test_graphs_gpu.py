"""CUDA graphs of a small UNet: the very bits of eager calls, whenever they may be replayed.

Run by hand on a machine that has a GPU: pytest -m gpu tests/engine/test_graphs_gpu.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from webui.engine.graphs.choice import make_recorder, make_runner
from webui.engine.graphs.cuda_recorder import CudaRecorder
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.runner import run

pytestmark = pytest.mark.gpu

WIDTH = 32


@pytest.fixture
def device() -> Iterator[torch.device]:
    with torch.inference_mode():
        yield torch.device("cuda", 0)


@pytest.fixture
def unet(device: torch.device) -> nn.Module:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
    )
    made: nn.Module = network.to(device, torch.float16).eval()
    return made


@pytest.fixture
def runner(unet: nn.Module, device: torch.device) -> Iterator[GraphRunner]:
    made = GraphRunner(unet, CudaRecorder(device), eager_calls=1)
    yield made
    made.forget()


def given(seed: int = 0, rows: int = 2, side: int = 16) -> dict[str, Any]:
    draw = torch.Generator("cuda").manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, device="cuda", dtype=torch.float16, generator=draw)

    return {
        "sample": noise(rows, 4, side, side),
        "timestep": torch.tensor(601.0 - seed, device="cuda"),
        "encoder_hidden_states": noise(rows, 77, WIDTH),
    }


def replayed(runner: GraphRunner, arguments: dict[str, Any]) -> Tensor:
    """An answer that comes from a recording."""
    before = runner(arguments, is_hooked=False)
    answer = runner(arguments, is_hooked=False)
    assert runner.kept_recordings > 0
    assert torch.equal(before, answer)
    return answer


def test_a_replay_gives_the_bits_of_an_eager_call(runner: GraphRunner, unet: nn.Module) -> None:
    replayed(runner, given())
    for seed in range(1, 5):
        assert torch.equal(runner(given(seed), is_hooked=False), run(unet, given(seed)))
    assert runner.kept_recordings == 1


def test_sizes_have_graphs_of_their_own(runner: GraphRunner, unet: nn.Module) -> None:
    sizes = [{"side": 16}, {"side": 24}, {"rows": 1}]
    for size in sizes:
        replayed(runner, given(**size))
    for seed, size in enumerate(sizes * 2):
        assert torch.equal(
            runner(given(seed, **size), is_hooked=False), run(unet, given(seed, **size))
        )
    assert runner.kept_recordings == 3


def test_weights_changed_in_place_are_seen(runner: GraphRunner, unet: nn.Module) -> None:
    before = replayed(runner, given())
    for weight in unet.parameters():
        weight.mul_(1.05)
    after = runner(given(), is_hooked=False)
    assert not torch.equal(after, before)
    assert torch.equal(after, run(unet, given()))
    assert runner.kept_recordings == 1


def test_a_hooked_call_is_not_replayed(runner: GraphRunner, unet: nn.Module) -> None:
    before = replayed(runner, given())
    handle = unet.get_submodule("mid_block").register_forward_hook(lambda *them: them[-1] * 2)
    told = runner(given(), is_hooked=True)
    untold = runner(given(), is_hooked=False)
    handle.remove()
    assert torch.equal(told, untold)
    assert not torch.equal(told, before)
    assert torch.equal(runner(given(), is_hooked=False), before)


def test_weights_that_moved_are_not_read_where_they_were(
    runner: GraphRunner, unet: nn.Module
) -> None:
    before = replayed(runner, given())
    unet.to("cpu")
    torch.cuda.empty_cache()
    unet.to("cuda")
    assert torch.equal(replayed(runner, given()), before)


def test_forgetting_gives_the_memory_back(runner: GraphRunner, device: torch.device) -> None:
    run_once = given(side=64)
    runner(run_once, is_hooked=False)
    torch.cuda.empty_cache()
    replayed(runner, run_once)  # the library's working memory stays
    runner.forget()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(device)
    for _ in range(3):
        replayed(runner, run_once)
        assert runner.kept_bytes > 0
        runner.forget()
        torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved(device) <= before + 32 * 2**20


def test_a_call_that_waits_for_the_gpu_runs_without_a_graph(
    runner: GraphRunner, unet: nn.Module
) -> None:
    """And leaves the device as usable as before: by graphs, too."""

    def wait(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output * float(output.abs().max().clamp(1, 1).item())

    handle = unet.get_submodule("conv_in").register_forward_hook(wait)
    for _ in range(3):
        answer = runner(given(), is_hooked=False)
    assert runner.kept_recordings == 0
    handle.remove()
    assert torch.equal(replayed(runner, given()), answer)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_too_little_memory_is_no_failure(
    runner: GraphRunner, unet: nn.Module, device: torch.device
) -> None:
    arguments = given(side=64)
    expected = run(unet, arguments)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info(device)
    cap = torch.cuda.memory_reserved(device) + 160 * 2**20
    torch.cuda.set_per_process_memory_fraction(cap / total, device)
    try:
        for _ in range(3):
            assert torch.equal(runner(arguments, is_hooked=False), expected)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def test_a_gpu_gets_a_runner_with_graphs(unet: nn.Module, device: torch.device) -> None:
    runner = make_runner(unet, make_recorder(device))
    for seed in range(4):
        assert torch.equal(runner(given(seed), is_hooked=False), run(unet, given(seed)))
    assert runner.kept_bytes > 0
    runner.forget()
