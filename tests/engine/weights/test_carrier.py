"""Reading by several threads: any table of tensors is what safetensors reads of the same file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.engine.weights.parts import CPU, SMALL, deferred, net_file
from webui.engine.weights.chunks import Grain, spread
from webui.engine.weights.store import WeightStore
from webui.families.weights import Piece

pytestmark = pytest.mark.torch

DTYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float64,
)


@dataclass(frozen=True)
class Case:
    """A tensor in a file, and which piece of it a layer wants."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int | None
    stop: int | None
    swap_halves: bool
    transpose: bool

    def piece(self, key: str) -> Piece:
        return Piece(key, self.start, self.stop, self.swap_halves, self.transpose)

    def of(self, whole: Tensor) -> Tensor:
        """The piece by plain means."""
        rows = whole[self.start : self.stop]
        if self.swap_halves:
            half = len(rows) // 2
            rows = torch.cat([rows[half:], rows[:half]])
        return rows.T if self.transpose else rows


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows = draw(st.integers(1, 40))
    start = draw(st.none() | st.integers(0, rows - 1))
    stop = draw(st.none() | st.integers((start or 0) + 1, rows))
    kept = len(range(rows)[start:stop])
    columns = draw(st.sampled_from([(), (1,), (7,), (300,), (2, 3, 3)]))
    return Case(
        dtype=draw(st.sampled_from(DTYPES)),
        shape=(rows, *columns),
        start=start,
        stop=stop,
        swap_halves=kept % 2 == 0 and draw(st.booleans()),
        transpose=len(columns) == 1 and draw(st.booleans()),
    )


class Bag(nn.Module):
    """Weights of these shapes, in this order."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))


@given(
    held=st.lists(cases(), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    block=st.integers(16, 3000),
)
@settings(deadline=None, max_examples=25)
def test_any_table_is_what_safetensors_reads(
    held: list[Case], order: object, dtype: torch.dtype, block: int
) -> None:
    torch.manual_seed(0)
    tensors = {
        f"t{i}": torch.randn(case.shape, dtype=torch.float32).to(case.dtype)
        for i, case in enumerate(held)
    }
    wanted = {f"w{i}": case.of(tensors[f"t{i}"]).to(dtype) for i, case in enumerate(held)}
    names = list(wanted)
    order.shuffle(names)  # type: ignore[attr-defined]

    def pieces(keys: Collection[str]) -> dict[str, Piece]:
        return {key: held[int(key[1:])].piece(f"t{key[1:]}") for key in keys}

    def make() -> Bag:
        return Bag({name: tuple(wanted[name].shape) for name in names})

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file.safetensors"
        save_file(tensors, file)
        store = WeightStore(CPU, threads=2, grain=Grain(block=block))
        model, part = deferred(store, file, make, pieces, dtype)
        part.place()
    state = model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in wanted.items())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_becomes_what_the_model_computes_in(tmp_path: Path, dtype: torch.dtype) -> None:
    file = net_file(tmp_path, dtype)
    model, part = deferred(WeightStore(CPU, threads=2, grain=SMALL), file, dtype=torch.float16)
    part.place()
    wanted = {key: value.to(torch.float16) for key, value in load_file(file).items()}
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())


@given(sizes=st.lists(st.integers(1, 100), max_size=40), room=st.integers(-50, 4000))
def test_what_stays_has_room(sizes: list[int], room: int) -> None:
    stays = spread(sizes, room)
    kept = sum(size for size, is_kept in zip(sizes, stays, strict=True) if is_kept)
    assert kept <= max(0, room)
    if sum(sizes) <= room:
        assert all(stays)
    elif sizes and room >= 0:
        assert kept > room - 2 * max(sizes)  # hardly any room is wasted


@given(count=st.integers(4, 60), resident=st.integers(1, 59))
def test_what_is_streamed_is_spread_evenly(count: int, resident: int) -> None:
    resident = min(resident, count - 1)
    stays = spread([10] * count, 10 * resident)
    assert stays[0]
    streamed = [index for index, is_kept in enumerate(stays) if not is_kept]
    gaps = [after - before for before, after in pairwise(streamed)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


@pytest.mark.slow
def test_fifty_switches_leave_memory_as_it_was(tmp_path: Path) -> None:
    """Two models in turn, one streamed and one not, each dropped for the other."""
    files = [net_file(tmp_path, seed=seed) for seed in (0, 1)]
    store = WeightStore(CPU, threads=2, grain=SMALL)
    process = psutil.Process(os.getpid())
    taken = []
    for turn in range(56):
        model, part = deferred(store, files[turn % 2])
        part.place(0 if turn % 2 else None)
        model(torch.ones(1, 256))
        del model, part
        taken.append(process.memory_info().rss)
    settled = taken[5]
    assert taken[-1] - settled <= 0.02 * settled
