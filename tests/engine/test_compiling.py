"""Compiled blocks: made in the background, used only where they are ready. No code is generated
here; what is compiled is the graph that torch finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from webui.engine.graphs.compiler import Backend, Compiler, repeated_blocks
from webui.engine.graphs.compiling_runner import NOTE, CompilingRunner
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import RehearsingRecorder
from webui.engine.graphs.runner import EagerRunner, run

pytestmark = pytest.mark.torch

WIDTH = 16
ENOUGH_S = 120


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield
    torch.compiler.reset()


@pytest.fixture
def unet() -> nn.Module:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    made: nn.Module = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
    )
    return made.eval()


def given(seed: int = 0, side: int = 8) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "sample": torch.randn(2, 4, side, side, generator=draw),
        "timestep": torch.tensor(601.0 - seed),
        "encoder_hidden_states": torch.randn(2, 7, WIDTH, generator=draw),
    }


def broken(*_: Any) -> Any:
    raise RuntimeError("There is no compiler.")


def compiling(unet: nn.Module, backend: str | Backend = "eager") -> CompilingRunner:
    return CompilingRunner(unet, EagerRunner(unet), Compiler(None, backend), calls_before=1)


def compiled(runner: CompilingRunner, side: int = 8) -> CompilingRunner:
    """With its blocks ready at this size."""
    for _ in range(2):
        runner(given(side=side), is_hooked=False)
    assert runner.jobs[-1].is_over.wait(ENOUGH_S)
    return runner


def graphs() -> int:
    """How many graphs torch has made so far."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def test_blocks_are_those_of_which_there_are_many(unet: nn.Module) -> None:
    kinds = {type(block).__name__ for block in repeated_blocks(unet)}
    assert kinds == {"BasicTransformerBlock", "ResnetBlock2D"}


def test_compiled_blocks_are_used_when_they_are_ready(unet: nn.Module) -> None:
    runner = compiling(unet)
    before = runner(given(), is_hooked=False)
    compiled(runner)
    made = graphs()
    after = runner(given(), is_hooked=False)
    assert runner.notes == (NOTE,)
    assert torch.allclose(after, before, atol=1e-6)
    assert graphs() == made > 0


@pytest.mark.slow
def test_another_size_waits_for_nothing(unet: nn.Module) -> None:
    runner = compiled(compiling(unet))
    made = graphs()
    answer = runner(given(side=16), is_hooked=False)
    assert runner.notes == ()
    assert graphs() == made
    assert torch.equal(answer, run(unet, given(side=16)))


@pytest.mark.slow
def test_both_sizes_are_compiled_when_both_come_often(unet: nn.Module) -> None:
    runner = compiled(compiled(compiling(unet)), side=16)
    made = graphs()
    for side in (8, 16):
        runner(given(side=side), is_hooked=False)
        assert runner.notes == (NOTE,)
    assert graphs() == made


@pytest.mark.slow
def test_a_hooked_call_runs_the_networks_own_code(unet: nn.Module) -> None:
    runner = compiled(compiling(unet))
    runner(given(), is_hooked=False)
    seen: list[Tensor] = []
    handle = repeated_blocks(unet)[0].register_forward_hook(lambda *them: seen.append(them[-1]))
    runner(given(), is_hooked=True)
    handle.remove()
    assert runner.notes == ()
    assert len(seen) == 1


def stream(layer: nn.Module) -> None:
    layer.register_forward_pre_hook(lambda *_: None)


def pack(layer: nn.Module) -> None:
    plain = layer.forward
    setattr(layer, "forward", lambda x: plain(x))  # noqa: B010 - not for mypy


@pytest.mark.parametrize("keep", [stream, pack])
def test_a_network_whose_weights_come_otherwise_is_not_compiled(
    unet: nn.Module, keep: Callable[[nn.Module], None]
) -> None:
    keep(unet.get_submodule("conv_in"))
    runner = compiling(unet)
    for _ in range(3):
        runner(given(), is_hooked=False)
    assert runner.jobs == ()


def test_a_compiler_that_fails_leaves_the_network_as_it_is(unet: nn.Module) -> None:
    runner = compiled(compiling(unet, backend=broken))
    answer = runner(given(), is_hooked=False)
    assert runner.notes == ()
    assert torch.equal(answer, run(unet, given()))


@pytest.mark.slow
def test_compiled_blocks_are_recorded_anew(unet: nn.Module) -> None:
    recorder = RehearsingRecorder()
    inner = GraphRunner(unet, recorder, eager_calls=0)
    runner = CompilingRunner(unet, inner, Compiler(None, "eager"), calls_before=1)
    compiled(runner)
    plain = recorder.recorded
    for seed in range(2):
        runner(given(seed), is_hooked=False)
    assert (plain, recorder.recorded) == (1, 2)
    assert runner.notes == (NOTE,)
