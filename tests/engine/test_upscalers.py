"""Upscalers from files: every layout is read, nothing is run, parts make a whole without seams."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from tests.engine.upscaler_files import (
    as_pickle,
    as_safetensors,
    new_esrgan,
    old_esrgan,
    upscaler,
)
from tests.engine.work import pixels, work
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.core.events import ImageReady, Progress
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import Extras, InputId
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.engine.tiles import OVERLAP, enlarge_tiles, spans, tile_count
from webui.engine.upscale import TiledPass
from webui.engine.upscaler_file import load_upscaler
from webui.engine.wire import pack_event, unpack_event
from webui.families import Families
from webui.families.components import Placement
from webui.modelfiles.conversion import Converter
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PICTURE = InputId("1" * 64)
CPU = Placement(device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    """One that knows no checkpoint: extras need none."""
    device = choose_device(Options(use_cpu=True, threads=1))
    with torch.inference_mode():
        yield Painter(device, Families([]), load_samplers(), load_schedules())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """64 x 48 pixels, smooth and with edges."""
    return save(tmp_path / "source.png", 64, 48)


def save(path: Path, width: int, height: int) -> Path:
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 5), np.cos(y / 7), ((x // 8 + y // 8) % 2) * 1.0], axis=2)
    Image.fromarray((128 + 100 * waves).astype(np.uint8)).save(path)
    return path


def batch(source: Path, files: Sequence[ModelInfo], size: tuple[int, int], **extras: Any) -> Work:
    used = tuple(UsedFile(kind=ModelKind.UPSCALER, ref=file.id, model=file) for file in files)
    asked = Extras(image=PICTURE, **{"upscaler": files[0].id if files else "lanczos", **extras})
    plan = work(inputs={PICTURE: source}, width=size[0], height=size[1], extras=asked)
    return replace(plan, files=used)


def enlarged(painter: Painter, plan: Work) -> Image.Image:
    (ready,) = [event for event in painter.paint(plan) if isinstance(event, ImageReady)]
    return ready.image


def converted(info: ModelInfo) -> ModelInfo:
    """As the painter has it when it comes to be read."""
    path = Converter(info.path.parent / "converted").safe_path(info.path)
    return replace(info, path=path)


def random_picture(width: int, height: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


def tiled(picture: Tensor, enlarge: Any, scale: int, tile: int) -> Tensor:
    _, height, width = picture.shape
    canvas = torch.zeros((3, height * scale, width * scale), dtype=torch.uint8)
    for _ in enlarge_tiles(picture, canvas, enlarge, tile):
        pass
    return canvas


def doubled(pixels: Tensor) -> Tensor:
    return pixels.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@given(side=st.integers(1, 3000), tile=st.integers(64, 1024))
def test_parts_cover_a_side_with_what_neighbours_must_share(side: int, tile: int) -> None:
    parts = spans(side, tile)
    assert parts[0].start == 0
    assert parts[-1].end == side
    assert all(part.length <= tile for part in parts)
    for before, after in pairwise(parts):
        assert before.end - after.start == after.shared
        assert after.shared >= OVERLAP - 1


@settings(max_examples=25)
@given(width=st.integers(1, 200), height=st.integers(1, 200), tile=st.integers(64, 128))
def test_parts_of_what_sees_single_pixels_are_the_whole(width: int, height: int, tile: int) -> None:
    picture = random_picture(width, height)
    assert torch.equal(tiled(picture, doubled, 2, tile), tiled(picture, doubled, 2, 10_000))


def test_no_seam_shows_where_parts_differ_in_brightness() -> None:
    """Each part comes out brighter than the one before: nowhere may a step be seen."""
    grey = torch.full((3, 100, 300), 128, dtype=torch.uint8)
    brightness = iter(np.linspace(0.4, 0.6, tile_count(300, 100, 128)))

    def brighter(part: Tensor) -> Tensor:
        return torch.full_like(doubled(part), next(brightness))

    drawn = tiled(grey, brighter, 2, 128).int()
    assert drawn.max() - drawn.min() > 40
    assert (drawn[:, :, 1:] - drawn[:, :, :-1]).abs().max() <= 2


LAYOUTS: Mapping[str, tuple[Any, int]] = {
    "old 4x": (old_esrgan(4), 4),
    "old 2x": (old_esrgan(2), 2),
    "old 1x": (old_esrgan(1), 1),
    "new": (new_esrgan(), 4),
    "in params_ema": ({"params_ema": new_esrgan()}, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_zip", [True, False])
def test_layouts_of_esrgan_are_told_by_their_tensors(
    layout: str, is_zip: bool, tmp_path: Path
) -> None:
    content, scale = LAYOUTS[layout]
    model = load_upscaler(converted(as_pickle(tmp_path / "x.pth", content, is_zip=is_zip)), CPU)
    assert model.scale == scale
    assert model(torch.rand(1, 3, 20, 30)).shape == (1, 3, 20 * scale, 30 * scale)


def test_safetensors_and_pickle_give_the_same_picture(
    painter: Painter, source: Path, tmp_path: Path
) -> None:
    files = (
        as_safetensors(tmp_path / "a.safetensors", new_esrgan()),
        as_pickle(tmp_path / "b.pth", new_esrgan()),
    )
    one, other = (enlarged(painter, batch(source, [file], (256, 192))) for file in files)
    assert one.size == (256, 192)
    assert one.tobytes() == other.tobytes()
    assert np.ptp(pixels(one)) > 20


def test_parts_of_a_network_are_the_whole_but_for_a_level(tmp_path: Path) -> None:
    """What lies 8 pixels beyond hardly counts in a network one block deep."""
    model = load_upscaler(as_safetensors(tmp_path / "a.safetensors", old_esrgan(4)), CPU)
    picture = random_picture(150, 110)
    parts, whole = (tiled(picture, model, 4, tile).int() for tile in (80, 1000))
    assert tile_count(150, 110, 80) == 6
    assert (parts - whole).abs().max() <= 2


class Narrow:
    """Doubles pixels, and runs out of memory on parts that are wider than `width`."""

    scale = 2

    def __init__(self, width: int, *, is_tileable: bool = True) -> None:
        self.width = width
        self.is_tileable = is_tileable

    def __call__(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-1] > self.width:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB.")
        return doubled(pixels)


def test_parts_get_smaller_when_memory_runs_out(tmp_path: Path) -> None:
    with Image.open(save(tmp_path / "p.png", 400, 300)) as picture:
        running = TiledPass(picture, Narrow(130), 512)
        assert [done for done, _ in running.run()][-1] == 1
        assert running.tile == 128
        assert running.result() == picture.resize((800, 600), Image.Resampling.NEAREST)


@pytest.mark.parametrize("network", [Narrow(60), Narrow(300, is_tileable=False)])
def test_too_little_memory_for_the_smallest_part_is_told(network: Narrow) -> None:
    running = TiledPass(Image.new("RGB", (400, 400)), network, 512)
    with pytest.raises(torch.OutOfMemoryError):
        list(running.run())


@pytest.mark.parametrize("size", [(64, 48), (100, 75), (128, 96), (512, 384), (1536, 48)])
def test_any_size_is_reached_exactly(
    painter: Painter, tmp_path: Path, source: Path, size: tuple[int, int]
) -> None:
    file = as_safetensors(tmp_path / "x2.safetensors", old_esrgan(2))
    assert enlarged(painter, batch(source, [file], size)).size == size


def test_progress_grows_part_by_part(painter: Painter, tmp_path: Path) -> None:
    file = as_safetensors(tmp_path / "x4.safetensors", old_esrgan(4))
    plan = batch(save(tmp_path / "wide.png", 500, 40), [file], (2000, 160))
    events = [event for event in painter.paint(plan) if isinstance(event, Progress)]
    steps = [event.step for event in events]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] == events[-1].steps
    parts = [event.note for event in events if ", part " in event.note]
    assert parts == [f"Upscaling, part {number} of 5" for number in range(1, 6)]


def test_what_is_said_of_a_part_crosses_the_pipe() -> None:
    said = Progress(step=1, steps=3, note="Upscaling, part 1 of 3")
    assert unpack_event(pack_event(said, 1)) == said


def test_closing_ends_after_the_part_at_hand(painter: Painter, tmp_path: Path) -> None:
    file = as_safetensors(tmp_path / "x4.safetensors", old_esrgan(4))
    plan = batch(save(tmp_path / "wide.png", 500, 40), [file], (2000, 160))
    seen = []
    with closing(painter.paint(plan)) as events:
        for event in events:
            seen.append(event)
            if isinstance(event, Progress) and event.note.startswith("Upscaling, part 1"):
                break
    assert not any(isinstance(event, ImageReady) for event in seen)
    assert enlarged(painter, plan).size == (2000, 160)


def test_the_second_upscaler_is_blended_by_its_visibility(
    painter: Painter, source: Path, tmp_path: Path
) -> None:
    file = as_safetensors(tmp_path / "x2.safetensors", old_esrgan(2))

    def drawn(**extras: Any) -> np.ndarray[Any, Any]:
        return pixels(enlarged(painter, batch(source, [file], (128, 96), **extras)))

    first, second = drawn(), drawn(upscaler="lanczos")
    assert np.array_equal(drawn(second_upscaler="lanczos", second_visibility=0.0), first)
    assert np.array_equal(drawn(second_upscaler="lanczos", second_visibility=1.0), second)
    between = drawn(second_upscaler="lanczos", second_visibility=0.25)
    assert np.abs(between - (0.75 * first + 0.25 * second)).max() <= 1


def test_transparent_parts_become_white(painter: Painter, tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    image = enlarged(painter, batch(tmp_path / "clear.png", [], (40, 40)))
    assert (image.mode, image.getpixel((20, 20))) == ("RGB", (255, 255, 255))


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_malicious_file_runs_nothing(tmp_path: Path, is_zip: bool) -> None:
    content = {**new_esrgan(), "extra": Bomb(tmp_path / "ran")}
    file = as_pickle(tmp_path / "bad.pth", content, is_zip=is_zip)
    with pytest.raises(ModelUnreadable, match="made to harm"):
        converted(file)
    with pytest.raises(ModelUnreadable):
        load_upscaler(file, CPU)
    assert not (tmp_path / "ran").exists()


def broken(path: Path, kind: str) -> ModelInfo:
    tensors = new_esrgan()
    match kind:
        case "cut off":
            as_pickle(path, tensors)
            path.write_bytes(path.read_bytes()[:2000])
        case "empty":
            path.write_bytes(b"")
        case "no tensors":
            as_pickle(path, {"a": 1})
        case "a list":
            as_pickle(path, [1, 2])
        case "another network":
            as_pickle(path, {"fc.weight": torch.zeros(3, 3)})
        case "a shape missing":
            del tensors["body.0.rdb2.conv3.weight"]
            as_pickle(path, tensors)
        case "huge by stride":
            tensors["conv_first.weight"] = torch.zeros(1).expand(2**33, 3, 3, 3)
            as_pickle(path, tensors)
        case "huge unpacked":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("archive/data/0", bytes(1000))
            data = bytearray(path.read_bytes())
            # where its table of contents says how large the entry is
            struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 24, 3 * 2**30)
            path.write_bytes(data)
    return upscaler(path)


@pytest.mark.parametrize(
    "kind",
    [
        *("cut off", "empty", "no tensors", "a list", "another network"),
        *("a shape missing", "huge by stride", "huge unpacked"),
    ],
)
def test_broken_files_are_refused_in_words(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelUnreadable, match=r"“bad(\.pth)?” can't be used: .*[a-z]{3,}"):
        load_upscaler(converted(broken(tmp_path / "bad.pth", kind)), CPU)


def test_no_stand_in_of_torchvision_stays(tmp_path: Path) -> None:
    import sys

    load_upscaler(as_safetensors(tmp_path / "a.safetensors", new_esrgan()), CPU)
    assert not any(name.startswith("torchvision") for name in sys.modules)


def test_numbers_that_are_none_are_told(painter: Painter, source: Path, tmp_path: Path) -> None:
    tensors = new_esrgan()
    tensors["conv_last.bias"].fill_(float("nan"))
    file = as_safetensors(tmp_path / "nan.safetensors", tensors)
    with pytest.raises(ModelUnreadable, match="no numbers"):
        enlarged(painter, batch(source, [file], (128, 96)))


def test_a_file_that_is_not_here_is_named(painter: Painter, source: Path) -> None:
    plan = batch(source, [], (128, 96), upscaler="gone.pth")
    with pytest.raises(InvalidRequest, match=r"no upscaler “gone\.pth”") as refused:
        enlarged(painter, plan)
    assert refused.value.field == "extras.upscaler"
