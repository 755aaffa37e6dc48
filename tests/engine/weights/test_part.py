"""Parts on the device, streamed to it, and taken away again; on the CPU, where slots are memory."""

from __future__ import annotations

import gc
import os
from functools import partial
from pathlib import Path
from weakref import ref

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.engine.weights.parts import CPU, SMALL, Net, answer, deferred, net_file, same_names
from webui.core.errors import ModelUnreadable
from webui.engine.weights.master import master
from webui.engine.weights.store import WeightStore
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return net_file(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def wanted(file: Path) -> Tensor:
    model = Net()
    model.load_state_dict(load_file(file))
    return answer(model)


@pytest.fixture
def store() -> WeightStore:
    return WeightStore(CPU, threads=3, grain=SMALL)


def test_a_part_that_was_placed_is_its_file(store: WeightStore, file: Path) -> None:
    model, weights = deferred(store, file)
    assert not weights.is_placed
    weights.place()
    assert weights.is_placed
    assert not weights.is_streamed
    stored = load_file(file)
    assert all(torch.equal(value, stored[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.4, 0.7, 0.95])
def test_streamed_is_resident_to_the_last_bit(
    store: WeightStore, file: Path, wanted: Tensor, share: float
) -> None:
    model, weights = deferred(store, file)
    limit = int(weights.least_bytes + share * (weights.total_bytes - weights.least_bytes))
    weights.place(limit)
    assert weights.is_streamed
    assert weights.device_bytes <= limit
    assert weights.device_bytes + weights.host_bytes >= weights.total_bytes
    for _ in range(3):
        assert torch.equal(answer(model), wanted)


def test_layers_in_fewer_bits_are_streamed_as_they_are(store: WeightStore, tmp_path: Path) -> None:
    eighth = net_file(tmp_path, torch.float8_e4m3fn)
    whole, streamed = (deferred(store, eighth, dtype=torch.float16) for _ in range(2))
    whole[1].place()
    streamed[1].place(0)
    assert whole[1].total_bytes < 1.1 * eighth.stat().st_size
    assert streamed[1].is_streamed
    for _ in range(2):
        assert torch.equal(answer(streamed[0]), answer(whole[0]))


@pytest.mark.parametrize("is_tied", [False, True])
def test_large_tables_are_looked_up_where_they_lie(
    store: WeightStore, tmp_path: Path, is_tied: bool
) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.other = nn.Embedding(5000, 64), nn.Embedding(5000, 64)
            if is_tied:
                self.other.weight = self.table.weight
            self.out = nn.Linear(64, 64)

        def forward(self, ids: Tensor) -> Tensor:
            result: Tensor = self.out(self.table(ids) + self.other(input=ids.flip(-1)))
            return result

    file = tmp_path / "words.safetensors"
    tables = {key: torch.randn(5000, 64) for key in ("table.weight", "other.weight")[: 2 - is_tied]}
    save_file({**tables, "out.weight": torch.randn(64, 64), "out.bias": torch.zeros(64)}, file)
    whole, other = (deferred(store, file, Words) for _ in range(2))
    whole[1].place()
    other[1].place(100_000)
    assert other[1].device_bytes <= 100_000
    ids = torch.tensor([[4999, 0, 7, 7], [1, 2, 3, 4998]])
    for _ in range(2):
        assert torch.equal(other[0](ids), whole[0](ids))
    master(other[0].get_submodule("table"), "weight").mul_(2)
    master(whole[0].get_submodule("table"), "weight").mul_(2)
    assert torch.equal(other[0](ids), whole[0](ids))
    other[1].place()
    assert torch.equal(other[0](ids), whole[0](ids))


def test_layers_that_are_left_out_don_t_matter(store: WeightStore, file: Path) -> None:
    whole, streamed = deferred(store, file), deferred(store, file)
    whole[1].place()
    streamed[1].place(0)
    for skip in ((), (0, 1, 2, 3), (7,), range(2, 11), ()):
        assert torch.equal(answer(streamed[0], skip), answer(whole[0], skip))


def test_inner_layers_may_be_called_by_themselves(store: WeightStore, file: Path) -> None:
    whole, streamed = deferred(store, file), deferred(store, file)
    whole[1].place()
    streamed[1].place(0)
    x = torch.ones(1, 256)
    for index in (5, 0, 11, 0, 5):
        mine, theirs = (model.get_submodule(f"blocks.{index}") for model in (streamed[0], whole[0]))
        assert torch.equal(mine(x), theirs(x))


def test_the_first_forward_tells_the_order(store: WeightStore, file: Path, wanted: Tensor) -> None:
    model, weights = deferred(store, file)
    weights.place(0)
    generation = weights.generation
    assert torch.equal(answer(model), wanted)
    settled = weights.generation
    assert settled > generation
    assert torch.equal(answer(model), wanted)
    assert weights.generation == settled


def test_a_released_part_holds_nothing_and_comes_back(
    store: WeightStore, file: Path, wanted: Tensor
) -> None:
    model, weights = deferred(store, file)
    for limit in (None, 0, weights.total_bytes - 1, None):
        weights.place(limit)
        weights.release()
        assert (weights.device_bytes, weights.host_bytes) == (0, 0)
        assert all(parameter.is_meta for parameter in model.parameters())
    weights.place(0)
    assert torch.equal(answer(model), wanted)
    store.release()
    assert store.host.idle_bytes == 0


def test_the_next_part_uses_the_pinned_memory_of_the_last(store: WeightStore, file: Path) -> None:
    sizes = []
    for _ in range(3):
        _, weights = deferred(store, file)
        weights.place(0)
        weights.release()
        sizes.append(store.host.idle_bytes)
    assert sizes == [sizes[0]] * 3


def test_a_model_that_is_used_again_forgets_its_former_weights(
    store: WeightStore, file: Path, tmp_path: Path
) -> None:
    """Where those of the new file have another form: layers keep them in fewer bits."""
    model = deferred_and_placed(store, file, None)
    former = ref(store.of(model))
    store.retire(model)
    used_again(store, model, net_file(tmp_path, torch.float8_e4m3fn))
    gc.collect()
    assert former() is None
    store.of(model).place()
    assert torch.isfinite(answer(model)).all()


@pytest.mark.parametrize("limit", [None, 0, 4_000_000])
def test_other_weights_take_the_place_of_retired_ones(
    store: WeightStore, file: Path, tmp_path: Path, limit: int | None
) -> None:
    """What was recorded of the model goes on being true: all addresses are the same."""
    second = net_file(tmp_path, seed=1)
    wanted = answer(deferred_and_placed(store, second, limit))
    model = deferred_and_placed(store, file, limit)
    assert not torch.equal(answer(model), wanted)
    addresses, generation = addresses_of(model), store.of(model).generation
    store.retire(model)
    assert not store.of(model).is_placed
    used_again(store, model, second)
    store.vacate()
    store.of(model).place(limit)
    assert (addresses_of(model), store.of(model).generation) == (addresses, generation)
    assert torch.equal(answer(model), wanted)
    store.of(model).release()
    store.of(model).place()
    assert torch.equal(answer(model), wanted)


def test_what_was_changed_in_retired_weights_is_gone(store: WeightStore, file: Path) -> None:
    model = deferred_and_placed(store, file, 0)
    wanted = answer(model)
    master(model.get_submodule("blocks.3.first"), "weight").mul_(2)
    store.retire(model)
    used_again(store, model, file)
    store.of(model).place(0)
    assert torch.equal(answer(model), wanted)


def test_a_change_made_while_weights_are_on_their_way_counts(
    store: WeightStore, file: Path, wanted: Tensor
) -> None:
    model = deferred_and_placed(store, file, None)
    store.retire(model)
    used_again(store, model, file)
    layer = model.get_submodule("blocks.3.first")
    master(layer, "weight").mul_(2)
    store.of(model).place()
    doubled = layer.weight.clone()
    assert not torch.equal(answer(model), wanted)
    store.of(model).release()
    store.of(model).place()
    assert torch.equal(layer.weight, doubled)


def test_retired_weights_that_someone_widened_are_brought_anew(
    store: WeightStore, file: Path
) -> None:
    model = deferred_and_placed(store, file, None)
    model.to(torch.float64)
    store.retire(model)
    used_again(store, model, file)
    store.of(model).place()
    stored = load_file(file)
    assert all(torch.equal(value, stored[key]) for key, value in model.state_dict().items())


def test_retired_weights_that_nobody_came_for_leave_no_memory(
    store: WeightStore, file: Path
) -> None:
    model = deferred_and_placed(store, file, 4_000_000)
    store.retire(model)
    assert store.device_bytes > 0
    store.vacate()
    assert store.device_bytes == 0
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_file_that_ends_while_it_takes_the_place_of_another(
    store: WeightStore, file: Path, tmp_path: Path, wanted: Tensor
) -> None:
    second = net_file(tmp_path, seed=1)
    model = deferred_and_placed(store, file, None)
    store.retire(model)
    with TensorFiles("tiny", [second]) as files:
        with second.open("r+b") as cut:
            cut.truncate(second.stat().st_size - 5000)
        build_again(store, files)
    with pytest.raises(ModelUnreadable, match="replaced or changed"):
        store.of(model).place()
    assert store.device_bytes == 0
    store.retire(model)
    used_again(store, model, file)
    store.of(model).place()
    assert torch.equal(answer(model), wanted)


def test_a_model_that_could_not_be_built_leaves_no_memory(store: WeightStore, file: Path) -> None:
    model = deferred_and_placed(store, file, None)
    store.retire(model)
    used_again(store, model, file)
    store.vacate(has_failed=True)
    assert store.device_bytes == 0


def test_pinned_memory_that_nobody_needs_is_given_back(store: WeightStore, file: Path) -> None:
    model, weights = deferred(store, file)
    weights.place(0)
    weights.release()
    streamed = store.host.idle_bytes
    for _ in range(20):
        weights.place()
        weights.release()
    assert store.host.idle_bytes < streamed
    assert next(model.parameters()).is_meta


def test_placing_as_it_is_changes_nothing(store: WeightStore, file: Path) -> None:
    _, weights = deferred(store, file)
    weights.place()
    generation = weights.generation
    weights.place()
    weights.place(weights.total_bytes)
    assert weights.generation == generation
    weights.place(weights.least_bytes)
    assert weights.generation > generation


def test_what_was_changed_survives(store: WeightStore, file: Path) -> None:
    model, weights = deferred(store, file)
    weights.place(0)
    layer = model.get_submodule("blocks.3.first")
    changed = master(layer, "weight").clone().mul_(2)
    master(layer, "weight").copy_(changed)
    streamed = answer(model)
    assert torch.equal(master(layer, "weight"), changed)
    weights.place()
    assert torch.equal(layer.weight, changed)
    assert torch.equal(answer(model), streamed)
    weights.release()
    weights.place(0)
    assert torch.equal(master(layer, "weight"), changed)


def test_a_layer_that_no_store_knows_is_its_own_master() -> None:
    layer = nn.Linear(2, 2)
    assert master(layer, "weight") is layer.weight


def test_a_shared_weight_stays_shared(store: WeightStore, tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(300, 128)
            self.head = nn.Linear(128, 300, bias=False)
            self.head.weight = self.table.weight

        def forward(self, ids: Tensor) -> Tensor:
            result: Tensor = self.head(self.table(ids))
            return result

    file = tmp_path / "tied.safetensors"
    save_file({"head.weight": torch.randn(300, 128)}, file)
    model, weights = deferred(store, file, Tied)
    weights.place(0)
    assert model.head.weight is model.table.weight
    assert weights.total_bytes == 300 * 128 * 4
    assert torch.equal(model.table.weight, load_file(file)["head.weight"])


def test_a_file_cut_short_while_it_is_in_use(store: WeightStore, tmp_path: Path) -> None:
    file = net_file(tmp_path)
    model, weights = deferred(store, file)
    stamp = file.stat()
    with file.open("r+b") as cut:
        cut.truncate(stamp.st_size - 5000)
    with pytest.raises(ModelUnreadable, match="replaced or changed"):
        weights.place()
    assert not weights.is_placed
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_file_replaced_since_is_noticed(store: WeightStore, tmp_path: Path) -> None:
    file = net_file(tmp_path)
    _, weights = deferred(store, file)
    other = net_file(tmp_path, seed=1)
    os.utime(other, ns=(0, 1))
    other.replace(file)
    with pytest.raises(ModelUnreadable, match="replaced or changed"):
        weights.place()


def test_a_file_that_changes_while_it_is_read_is_noticed(
    store: WeightStore, tmp_path: Path
) -> None:
    file = net_file(tmp_path)
    _, weights = deferred(store, file)
    placing = weights.placing()
    next(placing)
    with file.open("r+b") as cut:
        cut.truncate(1000)
    with pytest.raises(ModelUnreadable):
        list(placing)
    assert not weights.is_placed


def test_a_file_that_is_gone_is_named(store: WeightStore, tmp_path: Path) -> None:
    file = net_file(tmp_path)
    _, weights = deferred(store, file)
    file.unlink()
    with pytest.raises(ModelUnreadable, match=r"net0\.safetensors is missing"):
        weights.place()


@pytest.mark.parametrize("limit", [None, 0])
def test_placing_can_be_cancelled(
    store: WeightStore, file: Path, wanted: Tensor, limit: int | None
) -> None:
    model, weights = deferred(store, file)
    placing = weights.placing(limit)
    assert next(placing) > 0
    placing.close()
    assert not weights.is_placed
    weights.place(limit)
    assert torch.equal(answer(model), wanted)


def test_progress_ends_with_all_bytes(store: WeightStore, file: Path) -> None:
    _, weights = deferred(store, file)
    steps = list(weights.placing())
    assert steps == sorted(steps)
    assert steps[-1] == sum(value.nbytes for value in load_file(file).values())


def test_a_model_that_nobody_holds_is_forgotten(store: WeightStore, file: Path) -> None:
    model, weights = deferred(store, file)
    weights.place(0)
    kept = weights.host_bytes
    del model
    assert not weights.is_placed
    assert store.host.idle_bytes >= kept
    weights.place()  # nobody is there to be given weights
    assert not weights.is_placed
    assert (weights.device_bytes, weights.host_bytes) == (0, 0)


def deferred_and_placed(store: WeightStore, file: Path, limit: int | None) -> nn.Module:
    """A model by a recipe, so that it can be used again."""
    placement = Placement(device=CPU, dtype=torch.float32, defer=store.defer)
    with TensorFiles("tiny", [file]) as files:
        model = build(partial(Net, 12), same_names, files, placement)
    store.of(model).place(limit)
    answer(model)
    return model


def build_again(store: WeightStore, files: TensorFiles) -> nn.Module:
    placement = Placement(device=CPU, dtype=torch.float32, defer=store.defer, reuse=store.reuse)
    return build(partial(Net, 12), same_names, files, placement)


def used_again(store: WeightStore, model: nn.Module, file: Path) -> None:
    """A model that was retired, with the weights of another file."""
    with TensorFiles("tiny", [file]) as files:
        assert build_again(store, files) is model


def addresses_of(model: nn.Module) -> list[int]:
    return [parameter.data_ptr() for parameter in model.parameters()]
