"""Short of memory: what is given up, in which order, and that the picture is made all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.work import RECIPE, STARTER, work
from webui.core.errors import OutOfMemory
from webui.core.events import ImageReady
from webui.core.request import InputId, Source
from webui.engine.device import Device
from webui.engine.memory.history import FORGOTTEN_AFTER, Experience, History
from webui.engine.memory.need import steps_bytes
from webui.engine.memory.thrift import Frugality, Thrift
from webui.engine.painter import Painter
from webui.engine.passes.bench import SMALLEST_DECODE
from webui.engine.weights.store import WeightStore
from webui.families import load_families
from webui.families.components import Placement
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch


class Keeper:
    """A device's memory: says what was asked of it, and has so much to move away."""

    def __init__(self, shares: int = 0) -> None:
        self.given_back = 0
        self.shares = shares

    def give_back(self) -> None:
        """Counted."""
        self.given_back += 1

    def stream_more(self) -> bool:
        """One share less."""
        self.shares -= 1
        return self.shares >= 0


def out_of_memory() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB.")


def test_rows_are_halved_until_they_fit_and_stay_so() -> None:
    keeper, asked = Keeper(), []
    thrift = Thrift(keeper)
    values = torch.arange(8.0)

    def call(start: int, stop: int) -> Tensor:
        asked.append(stop - start)
        if stop - start > 2:
            raise out_of_memory()
        return values[start:stop] * 2

    assert torch.equal(thrift.rows(8, call), values * 2)
    assert asked == [8, 8, 4, 2, 2, 2, 2]  # the second 8 after what was kept was given back
    assert torch.equal(thrift.rows(8, call), values * 2)
    assert asked[7:] == [2, 2, 2, 2]
    assert thrift.frugality == Frugality(rows=2)
    assert keeper.given_back == 3


def test_the_vae_works_in_smaller_and_smaller_tiles() -> None:
    thrift, asked = Thrift(Keeper()), []

    def call(tile: int | None) -> str:
        asked.append(tile)
        if tile is None or tile > 32:
            raise out_of_memory()
        return "pixels"

    assert thrift.tiled(128, call) == "pixels"
    assert asked == [None, None, 64, 32]
    assert thrift.words() == ("the VAE worked in tiles of 32 cells",)


def test_a_small_picture_gets_no_tiles_larger_than_itself() -> None:
    thrift, asked = Thrift(Keeper()), []

    def call(tile: int | None) -> None:
        asked.append(tile)
        raise out_of_memory()

    with pytest.raises(torch.OutOfMemoryError):
        thrift.tiled(32, call)
    assert asked == [None, None, 16]


def test_weights_leave_the_device_last() -> None:
    thrift, asked = Thrift(Keeper(shares=2)), []

    def call(start: int, stop: int) -> Tensor:
        asked.append(stop - start)
        if len(asked) < 5:
            raise out_of_memory()
        return torch.zeros(stop - start)

    assert len(thrift.rows(2, call)) == 2
    assert asked == [2, 2, 1, 1, 1, 1]
    assert "more of the weights were streamed" in thrift.words()


def test_that_code_for_the_processor_finds_no_room_is_a_shortage() -> None:
    thrift, asked = Thrift(Keeper()), []

    def call() -> str:
        asked.append("a convolution")
        if len(asked) == 1:
            raise RuntimeError("could not create a primitive")
        return "pixels"

    assert thrift.whole(call) == "pixels"


def test_other_errors_are_not_mistaken_for_a_shortage() -> None:
    keeper = Keeper(shares=3)

    def call() -> None:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        Thrift(keeper).whole(call)
    assert keeper.given_back == 0


def test_what_a_batch_needed_is_known_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "state" / "memory.json"
    History(file).learn("1 of sdxl 1024x1024", 5, Frugality(rows=1, tile=32))
    again = History(file).of("1 of sdxl 1024x1024")
    assert again == Experience(peak_bytes=5, frugality=Frugality(rows=1, tile=32))
    assert History(file).of("another") == Experience()


def test_frugality_is_given_up_again_after_a_while(tmp_path: Path) -> None:
    history = History(None)
    for _ in range(FORGOTTEN_AFTER + 1):
        assert history.of("key").frugality in (Frugality(), Frugality(rows=1))
        history.learn("key", 1, Frugality(rows=1))
    assert history.of("key").frugality == Frugality()


@pytest.mark.parametrize("text", ["", "[]", '{"a": 3}', "{", '{"a": {"frugality": {}}}'])
def test_a_damaged_history_is_as_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_text(text)
    history = History(file)
    assert history.of("a") == Experience()
    history.learn("a", 7, Frugality())
    assert History(file).of("a").peak_bytes == 7


def test_more_rows_and_larger_pictures_need_more() -> None:
    small = steps_bytes(512, 512, 2, is_unet=True)
    assert small < steps_bytes(512, 512, 8, is_unet=True)
    assert small < steps_bytes(1024, 1024, 2, is_unet=True)
    assert small < steps_bytes(512, 512, 2, is_unet=False)


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    device = Device(
        label="CPU",
        placement=Placement(device=torch.device("cpu"), dtype=torch.float32),
        threads=1,
    )
    made = Painter(device, load_families(), load_samplers(), load_schedules())
    yield made
    made.manager.release()


@contextmanager
def short_of(painter: Painter, stage: str, times: int) -> Iterator[list[int]]:
    """While it lasts, the first calls of one network find no memory. Gives how many are left."""
    with torch.inference_mode():
        parts = painter.manager.get(STARTER).components
    networks: dict[str, Any] = {
        "text": parts.text_encoders["text_encoder"],
        "steps": parts.diffusion_model,
        "decode": parts.vae.decoder,
        "encode": parts.vae.encoder,
    }
    left = [times]

    def refuse(*_: object) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise out_of_memory()

    handle = networks[stage].register_forward_pre_hook(refuse)
    try:
        yield left
    finally:
        handle.remove()


def paint(painter: Painter, **changes: Any) -> list[ImageReady]:
    with torch.inference_mode():
        events = list(painter.paint(work(**changes)))
    return [event for event in events if isinstance(event, ImageReady)]


def source(tmp_path: Path) -> dict[str, Any]:
    """The changes of an img2img batch."""
    from PIL import Image

    file = tmp_path / "source.png"
    Image.new("RGB", (64, 64), "red").save(file)
    image = InputId("5" * 64)
    return {"source": Source(image=image, denoising_strength=0.6), "inputs": {image: file}}


@pytest.mark.parametrize("stage", ["text", "steps", "encode", "decode"])
def test_a_shortage_that_passes_costs_no_picture(
    stage: str, painter: Painter, tmp_path: Path
) -> None:
    given = {"steps": 2, "width": 64, "height": 64, **source(tmp_path)}
    painter.manager.release()
    (wanted,) = paint(painter, **given)
    painter.manager.release()
    with short_of(painter, stage, 1) as left:
        (made,) = paint(painter, **given)
    assert left == [0]
    assert made.image.tobytes() == wanted.image.tobytes()


@pytest.mark.parametrize(
    "stage",
    ["steps", "decode", *(pytest.param(s, marks=pytest.mark.slow) for s in ("text", "encode"))],
)
def test_a_shortage_that_stays_is_a_clear_refusal_and_the_engine_goes_on(
    stage: str, painter: Painter, tmp_path: Path
) -> None:
    given = {"steps": 2, "width": 64, "height": 64, **source(tmp_path)}
    painter.manager.release()
    with short_of(painter, stage, 1000), pytest.raises(OutOfMemory, match="Try a smaller size"):
        paint(painter, **given)
    assert len(paint(painter, **given)) == 1


@pytest.mark.slow
def test_the_engine_outlives_a_hundred_shortages(painter: Painter, tmp_path: Path) -> None:
    given = {"steps": 2, "width": 64, "height": 64, **source(tmp_path)}
    made = refused = 0
    for number in range(100):
        stage = ("text", "steps", "encode", "decode")[number % 4]
        with short_of(painter, stage, number % 9):
            try:
                made += len(paint(painter, **given, prompt=f"an apple {number}"))
            except OutOfMemory:
                refused += 1
    assert made + refused == 100
    assert min(made, refused) > 0
    assert len(paint(painter, **given)) == 1


def test_what_was_given_up_is_recorded_with_the_picture(painter: Painter) -> None:
    with short_of(painter, "steps", 2):  # a size that no other test has taught it about
        (made,) = paint(painter, steps=2, width=128, height=64)
    assert made.facts["memory"] == "the network took 1 at a time"
    assert RECIPE.guidance_scale > 1


MEBIBYTE = 2**20
ALWAYS_FREE = SMALLEST_DECODE


def small_card(megabytes: int) -> Painter:
    """A device with so much for weights beside what is always kept free for the work."""

    def available(store: WeightStore) -> float:
        return ALWAYS_FREE + megabytes * MEBIBYTE - store.device_bytes

    device = Device(
        label="CPU",
        placement=Placement(device=torch.device("cpu"), dtype=torch.float32),
        threads=1,
    )
    return Painter(device, load_families(), load_samplers(), load_schedules(), None, available)


@pytest.fixture(scope="module")
def roomy() -> Iterator[Painter]:
    """A device that has never been short."""
    made = small_card(10_000)
    yield made
    made.manager.release()


@pytest.mark.parametrize("megabytes", [60, 30, 1])
def test_on_a_small_card_the_picture_is_the_same(
    megabytes: int, roomy: Painter, tmp_path: Path
) -> None:
    given = {"steps": 2, "width": 64, "height": 64, **source(tmp_path)}
    (wanted,) = paint(roomy, **given)
    small = small_card(megabytes)
    for _ in range(2):
        (made,) = paint(small, **given)
        assert made.image.tobytes() == wanted.image.tobytes()
    network = small.manager.get(STARTER).components.diffusion_model
    assert small.manager.weights_bytes < roomy.manager.weights_bytes
    assert next(network.parameters()).device.type == "cpu"
    small.manager.release()


def test_a_network_that_lost_its_place_gets_it_back(roomy: Painter) -> None:
    given = {"steps": 2, "width": 64, "height": 64}
    (wanted,) = paint(roomy, **given)
    small = small_card(60)
    with torch.inference_mode():
        network = small.manager.get(STARTER).components.diffusion_model
    weights = small.manager.weights_of(network)
    lost: list[bool] = []

    def lose(*_: object) -> None:
        if not lost:
            lost.append(True)
            weights.release()
            raise out_of_memory()

    handle = network.register_forward_hook(lose)
    (made,) = paint(small, **given)
    handle.remove()
    assert lost
    assert made.image.tobytes() == wanted.image.tobytes()
    small.manager.release()
