"""Weights on a GPU: the ring of pinned blocks, streaming, and streaming inside a graph.

Run by hand on a machine that has one: pytest -m gpu tests/engine/weights
"""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.engine.weights.parts import SMALL, WIDTH, Net, answer, deferred, net_file
from webui.engine.weights.chunks import Grain
from webui.engine.weights.master import master
from webui.engine.weights.store import WeightStore

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn)


@pytest.fixture
def store() -> WeightStore:
    return WeightStore(torch.device("cuda", 0), grain=SMALL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return net_file(tmp_path, torch.float16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [7_000, 300_000, 16 * 2**20])
def test_the_ring_brings_what_safetensors_reads(
    tmp_path: Path, dtype: torch.dtype, block: int
) -> None:
    file = net_file(tmp_path, dtype)
    store = WeightStore(torch.device("cuda", 0), grain=replace(SMALL, block=block))
    model, part = deferred(store, file, dtype=torch.float16)
    for _ in range(3):
        part.place()
        wanted = load_file(file)
        assert all(
            torch.equal(value.cpu(), wanted[key].to(torch.float16))
            for key, value in model.state_dict().items()
        )
        part.release()


@pytest.mark.parametrize("share", [0.0, 0.6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_streamed_is_resident_to_the_last_bit(
    store: WeightStore, tmp_path: Path, dtype: torch.dtype, share: float
) -> None:
    file = net_file(tmp_path, dtype)
    whole, streamed = (deferred(store, file, dtype=torch.float16) for _ in range(2))
    whole[1].place()
    least, total = streamed[1].least_bytes, streamed[1].total_bytes
    streamed[1].place(int(least + share * (total - least)))
    assert streamed[1].is_streamed
    wanted = answer(whole[0])
    for _ in range(5):
        assert torch.equal(answer(streamed[0]), wanted)
    for skip in ((0, 1, 2, 3), (7,), range(2, 11)):
        assert torch.equal(answer(streamed[0], skip), answer(whole[0], skip))


def test_a_captured_streamed_forward_replays_the_same(store: WeightStore, file: Path) -> None:
    whole, streamed = (deferred(store, file, dtype=torch.float16) for _ in range(2))
    whole[1].place()
    streamed[1].place(0)
    model, part = streamed
    x = torch.zeros(2, WIDTH, device="cuda", dtype=torch.float16)
    with torch.inference_mode():
        model(x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = model(x)
        for seed in range(4):
            x.copy_(torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(seed)))
            graph.replay()
            assert torch.equal(y, whole[0](x))
        layer, other = (m.get_submodule("blocks.5.first") for m in (model, whole[0]))
        for each in (layer, other):
            master(each, "weight").mul_(2)
        graph.replay()
        assert torch.equal(y, whole[0](x))
        assert torch.equal(model(x), y)
    del graph
    part.release()


def test_a_capture_may_leave_layers_out(store: WeightStore, file: Path) -> None:
    whole, streamed = (deferred(store, file, dtype=torch.float16) for _ in range(2))
    whole[1].place()
    streamed[1].place(0)
    x = torch.ones(2, WIDTH, device="cuda", dtype=torch.float16)
    skip = range(4, 12)
    with torch.inference_mode():
        streamed[0](x)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = streamed[0](x, skip)
        graph.replay()
        assert torch.equal(y, whole[0](x, skip))


def test_released_parts_give_all_memory_back(store: WeightStore, file: Path) -> None:
    gc.collect()  # of other tests
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    _model, part = deferred(store, file, dtype=torch.float16)
    for limit in (None, 0, None):
        part.place(limit)
        assert torch.cuda.memory_allocated() - before >= part.device_bytes
        part.release()
        assert torch.cuda.memory_allocated() == before
    store.release()
    assert store.host.idle_bytes == 0


def test_memory_for_streaming_is_pinned(store: WeightStore, file: Path) -> None:
    block = store.host.take(1_000_000)
    assert block.is_pinned
    assert block.memory.is_pinned()
    store.host.give_back(block)


def test_the_link_is_measured_once(store: WeightStore) -> None:
    speed = store.link_bytes_per_s
    assert 1e8 < speed < 1e13
    assert store.link_bytes_per_s == speed


def test_a_pipeline_of_default_grain_works_too(file: Path) -> None:
    store = WeightStore(torch.device("cuda", 0), grain=Grain())
    model, part = deferred(store, file, Net, dtype=torch.float16)
    part.place(0)
    wanted = Net().half()
    wanted.load_state_dict(load_file(file))
    torch.testing.assert_close(
        answer(model).cpu().float(), answer(wanted).float(), atol=1e-2, rtol=1e-2
    )
