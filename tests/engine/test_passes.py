"""Passes, checkpoints, VAEs and previews on tiny random models: which weights made what."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from diffusers.models.autoencoders.vae import DecoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.engine.upscaler_files import as_pickle, old_esrgan
from tests.engine.work import work
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.core.events import ImageReady, Loading, Preview, Progress
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import Extras, Hires, InputId, Noise, Refiner, Source
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.families import Families
from webui.families.sd15 import StableDiffusion15
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

PICTURE = InputId("1" * 64)
VAE_PREFIX = "first_stage_model."


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_description(tmp_path_factory.mktemp("tiny") / "description")


@pytest.fixture(scope="module")
def first(description: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    folder = tmp_path_factory.mktemp("first")
    return info(write_checkpoint(folder / "first.safetensors", description))


@pytest.fixture(scope="module")
def second(first: ModelInfo, tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    """The same network but for its last layer."""
    weights = load_file(first.path)
    weights["model.diffusion_model.out.2.weight"].mul_(-0.5)
    file = tmp_path_factory.mktemp("second") / "second.safetensors"
    save_file(weights, file)
    return info(file)


@pytest.fixture(scope="module")
def painter(description: Path) -> Iterator[Painter]:
    families = Families([StableDiffusion15(description)])
    device = choose_device(Options(use_cpu=True, threads=1))
    with torch.inference_mode():
        yield Painter(device, families, load_samplers(), load_schedules())


def info(path: Path, kind: ModelKind = ModelKind.CHECKPOINT) -> ModelInfo:
    return ModelInfo(
        id=path.name, name=path.stem, kind=kind, family="sd15", path=path, size_bytes=1
    )


def used(model: ModelInfo) -> UsedFile:
    return UsedFile(kind=model.kind, ref=model.id, model=model)


def batch(model: ModelInfo, files: Sequence[ModelInfo] = (), **changes: Any) -> Work:
    small = {"width": 64, "height": 64, "steps": 6, **changes}
    return replace(work(**small), model=model, files=tuple(map(used, files)))


def draw(painter: Painter, wanted: Work) -> Image.Image:
    events = list(painter.paint(wanted))
    (ready,) = [event for event in events if isinstance(event, ImageReady)]
    steps = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in steps] == list(range(steps[0].steps + 1))
    return ready.image


def refined(first: ModelInfo, second: ModelInfo, switch_at: float, **changes: Any) -> Work:
    refiner = Refiner(checkpoint=second.id, switch_at=switch_at)
    return batch(first, [second], refiner=refiner, **changes)


def test_a_refiner_that_is_the_same_model_changes_nothing(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    copy = info(tmp_path / "copy.safetensors")
    copy.path.write_bytes(first.path.read_bytes())
    alone = draw(painter, batch(first))
    assert draw(painter, refined(first, copy, 0.5)).tobytes() == alone.tobytes()


def test_a_refiner_does_more_the_earlier_it_takes_over(
    painter: Painter, first: ModelInfo, second: ModelInfo
) -> None:
    drawn = [draw(painter, refined(first, second, at)).tobytes() for at in (0.01, 0.5, 1.0)]
    assert len(set(drawn)) == 3
    assert drawn[2] == draw(painter, batch(first)).tobytes()


def test_both_checkpoints_stay_in_memory(
    painter: Painter, first: ModelInfo, second: ModelInfo
) -> None:
    painter.manager.release()
    loaded = [
        [event.model for event in painter.paint(refined(first, second, 0.5)) if is_load(event)]
        for _ in range(2)
    ]
    assert loaded == [["second", "first"], []]


def is_load(event: object) -> bool:
    return isinstance(event, Loading)


def test_a_refiner_works_on_the_second_of_two_passes(
    painter: Painter, first: ModelInfo, second: ModelInfo
) -> None:
    """Left out of the first: enlarged without a second denoising, nothing of it is seen."""
    still = Hires(denoising_strength=0.0, scale=1.5)
    alone = draw(painter, batch(first, hires=still))
    assert draw(painter, refined(first, second, 0.01, hires=still)).tobytes() == alone.tobytes()
    moving = Hires(denoising_strength=0.7, scale=1.5)
    alone = draw(painter, batch(first, hires=moving))
    assert draw(painter, refined(first, second, 0.01, hires=moving)).tobytes() != alone.tobytes()


def test_a_second_pass_may_have_a_checkpoint_of_its_own(
    painter: Painter, first: ModelInfo, second: ModelInfo
) -> None:
    own = Hires(checkpoint=second.id, scale=1.5)
    drawn = [draw(painter, batch(first, [second], hires=h)) for h in (own, Hires(scale=1.5))]
    assert [image.size for image in drawn] == [(96, 96), (96, 96)]
    assert drawn[0].tobytes() != drawn[1].tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 3},
        {"denoising_strength": 0.4},
        {"sampler": "euler_a"},
        {"schedule": "karras"},
        {"guidance_scale": 9.0},
        {"prompt": "a blue house"},
        {"negative_prompt": "a tree"},
        {"upscaler": "latent_nearest_exact"},
        {"upscaler": "lanczos"},
    ],
)
def test_each_field_of_a_second_pass_counts(
    painter: Painter, first: ModelInfo, change: dict[str, Any]
) -> None:
    plain = Hires(scale=1.5)
    one, other = (draw(painter, batch(first, hires=h)) for h in (plain, replace(plain, **change)))
    assert one.size == other.size == (96, 96)
    assert one.tobytes() != other.tobytes()


def test_a_second_pass_needs_a_first_from_words_alone(painter: Painter, first: ModelInfo) -> None:
    wanted = batch(first, hires=Hires(), source=Source(image=PICTURE))
    with pytest.raises(InvalidRequest, match="Switch hires off") as refused:
        list(painter.paint(wanted))
    assert refused.value.field == "hires"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("refiner.checkpoint", {"refiner": Refiner(checkpoint="gone")}),
        ("hires.checkpoint", {"hires": Hires(checkpoint="gone")}),
        ("hires.sampler", {"hires": Hires(sampler="gone")}),
        ("hires.schedule", {"hires": Hires(schedule="gone")}),
        ("hires.upscaler", {"hires": Hires(upscaler="gone")}),
        ("vae", {"vae": "gone"}),
        ("prompt", {"prompt": "a cat <lora:gone>"}),
    ],
)
def test_what_is_not_there_is_named(
    painter: Painter, first: ModelInfo, field: str, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        list(painter.paint(batch(first, **change)))
    assert refused.value.field == field


def vae_file(first: ModelInfo, file: Path, layout: str, factor: float = 1.0) -> ModelInfo:
    """The first model's VAE as a file of its own; `factor` changes its last layer."""
    weights = load_file(first.path)
    own = {
        key.removeprefix(VAE_PREFIX): tensor.clone()
        for key, tensor in weights.items()
        if key.startswith(VAE_PREFIX)
    }
    own["decoder.conv_out.weight"].mul_(factor)
    if layout == "whole":
        own = {VAE_PREFIX + key: tensor for key, tensor in own.items()}
    save_file(own, file)
    return info(file, ModelKind.VAE)


@pytest.mark.parametrize("layout", ["bare", "whole"])
def test_a_vae_of_its_own_decodes_as_the_one_inside(
    painter: Painter, first: ModelInfo, tmp_path: Path, layout: str
) -> None:
    own = draw(painter, batch(first)).tobytes()
    same = vae_file(first, tmp_path / "same.safetensors", layout)
    other = vae_file(first, tmp_path / "other.safetensors", layout, factor=2.0)
    drawn = [draw(painter, batch(first, [vae], vae=vae.id)).tobytes() for vae in (same, other)]
    assert drawn[0] == own
    assert drawn[1] != own
    assert draw(painter, batch(first)).tobytes() == own


def test_a_vae_in_diffusers_layout_is_read_too(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    own = draw(painter, batch(first)).tobytes()
    vae = painter.manager.get(first).components.vae
    file = tmp_path / "vae.safetensors"
    save_file({key: value.contiguous() for key, value in vae.state_dict().items()}, file)
    model = info(file, ModelKind.VAE)
    assert draw(painter, batch(first, [model], vae=model.id)).tobytes() == own


def test_changing_the_vae_loads_nothing_else(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    unet = painter.manager.get(first).components.diffusion_model
    vae = vae_file(first, tmp_path / "vae.safetensors", "bare")
    list(painter.paint(batch(first, [vae], vae=vae.id)))
    assert painter.manager.get(first, vae).components.diffusion_model is unet
    assert painter.manager.is_loaded(first, vae)


def test_what_is_no_vae_is_refused(painter: Painter, first: ModelInfo, tmp_path: Path) -> None:
    save_file({"decoder.conv_in.weight": torch.zeros(2)}, tmp_path / "no.safetensors")
    no_vae = info(tmp_path / "no.safetensors", ModelKind.VAE)
    with pytest.raises(ModelUnreadable, match="no VAE"):
        list(painter.paint(batch(first, [no_vae], vae=no_vae.id)))


def tiny_decoder(file: Path, channels: int = 4, layout: str = "diffusers") -> ModelInfo:
    """A small decoder of random weights, in either layout."""
    torch.manual_seed(0)
    decoder = DecoderTiny(channels, 3, (1, 1, 1, 1), (8, 8, 8, 8), 2, "relu", "nearest")
    weights = {key.removeprefix("layers."): value for key, value in decoder.state_dict().items()}
    if layout == "diffusers":
        named = {f"decoder.layers.{key}": value for key, value in weights.items()}
    else:
        parts = [(key.split(".", 1), value) for key, value in weights.items()]
        named = {f"{int(place) + 1}.{rest}": value for (place, rest), value in parts}
    (save_file if file.suffix == ".safetensors" else torch.save)(named, file)
    return info(file, ModelKind.PREVIEW)


def previews(painter: Painter, wanted: Work) -> list[bytes]:
    shown = replace(wanted, preview_every_s=1e-9)
    return [event.jpeg for event in painter.paint(shown) if isinstance(event, Preview)]


def test_a_small_decoder_draws_the_previews_where_there_is_one(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    layouts = [("a.safetensors", "diffusers"), ("b.safetensors", "original"), ("c.pth", "original")]
    plain = previews(painter, batch(first))
    shown = [
        previews(painter, batch(first, [tiny_decoder(tmp_path / name, layout=layout)]))
        for name, layout in layouts
    ]
    assert shown[0] == shown[1] == shown[2] != plain
    assert Image.open(io.BytesIO(shown[0][0])).size == (32, 32)


def test_a_small_decoder_that_does_not_fit_is_left_out(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    plain = previews(painter, batch(first))
    broken = info(tmp_path / "broken.safetensors", ModelKind.PREVIEW)
    broken.path.write_bytes(b"no file of tensors")
    other = tiny_decoder(tmp_path / "16.safetensors", channels=16)
    assert previews(painter, batch(first, [broken])) == plain
    assert previews(painter, batch(first, [other])) == plain


def test_pictures_with_prompts_of_their_own_are_those_made_alone(
    painter: Painter, first: ModelInfo
) -> None:
    alike = batch(first)
    recipes = [replace(alike.recipes[0], prompt=prompt) for prompt in ("a cat", "a dog", "a cat")]
    recipes[2] = replace(recipes[2], seed=9)
    together = [
        event.image.tobytes()
        for event in painter.paint(replace(alike, recipes=tuple(recipes)))
        if isinstance(event, ImageReady)
    ]
    alone = [draw(painter, replace(alike, recipes=(each,))).tobytes() for each in recipes]
    assert together == alone


def test_variations_lie_between_two_seeds(painter: Painter, first: ModelInfo) -> None:
    drawn = {
        draw(
            painter, batch(first, noise=Noise(variation_seed=3, variation_strength=part))
        ).tobytes()
        for part in (0.0, 0.3, 0.6)
    }
    assert len(drawn) == 3


def test_cancelling_anywhere_leaves_the_next_picture_whole(
    painter: Painter, first: ModelInfo, second: ModelInfo
) -> None:
    """Closed after each event in turn, loading and enlarging included."""
    wanted = refined(first, second, 0.5, steps=1, hires=Hires(upscaler="lanczos", scale=1.5))
    expected = draw(painter, batch(first)).tobytes()
    painter.manager.release()
    for heard in range(1, 2 + len(list(painter.paint(wanted)))):
        with closing(painter.paint(wanted)) as events:
            for _ in range(heard):
                next(events, None)
    assert draw(painter, batch(first)).tobytes() == expected


def test_a_second_pass_begins_with_what_an_upscaler_from_a_file_made(
    painter: Painter, first: ModelInfo, tmp_path: Path
) -> None:
    file = as_pickle(tmp_path / "x4.pth", old_esrgan(4))
    hires = Hires(upscaler=file.id, scale=1.5, denoising_strength=0.3)
    events = list(painter.paint(batch(first, [file], hires=hires)))
    progress = [event for event in events if isinstance(event, Progress)]
    steps = [event.step for event in progress]
    assert steps == sorted(steps)
    assert steps[-1] == progress[-1].steps
    assert "Upscaling, part 1 of 1" in [event.note for event in progress]
    (image,) = [event.image for event in events if isinstance(event, ImageReady)]
    plain = draw(painter, batch(first, hires=replace(hires, upscaler="lanczos")))
    assert image.size == plain.size == (96, 96)
    assert image.tobytes() != plain.tobytes()


@pytest.mark.parametrize(
    ("extras", "size"),
    [
        (Extras(image=PICTURE, scale=2.0), (80, 60)),
        (Extras(image=PICTURE, width=50, height=50), (50, 50)),
        (Extras(image=PICTURE, width=50, height=50, crop=False), (50, 38)),
        (Extras(image=PICTURE, second_upscaler="nearest", second_visibility=0.5), (80, 60)),
    ],
)
def test_a_finished_picture_is_enlarged_without_a_model(
    painter: Painter, tmp_path: Path, extras: Extras, size: tuple[int, int]
) -> None:
    Image.radial_gradient("L").resize((40, 30)).save(tmp_path / "p.png")
    gone = info(tmp_path / "gone.safetensors")
    wanted = batch(gone, extras=extras, width=extras.width or 80, height=extras.height or 60)
    wanted = replace(wanted, inputs={PICTURE: tmp_path / "p.png"})
    (image,) = [e.image for e in painter.paint(wanted) if isinstance(e, ImageReady)]
    assert (image.mode, image.size) == ("RGB", size)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted as Linux does")
def test_fifty_switches_of_models_and_vaes_leave_memory_flat(
    painter: Painter, first: ModelInfo, second: ModelInfo, tmp_path: Path
) -> None:
    vae = vae_file(first, tmp_path / "vae.safetensors", "bare")
    process = psutil.Process(os.getpid())

    def switch() -> int:
        for wanted in (
            batch(first, [vae], vae=vae.id, steps=1),
            refined(second, first, 0.5, steps=1, hires=Hires(scale=1.5)),
            batch(second, steps=1),
        ):
            list(painter.paint(wanted))
        gc.collect()
        return int(process.memory_info().rss)

    settled = max(switch() for _ in range(5))
    assert max(switch() for _ in range(17)) < settled + 30 * 2**20
