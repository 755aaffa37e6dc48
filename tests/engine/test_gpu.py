"""The real engine on a GPU: fp16, whole batches, and what changes against the CPU.

Run by hand on a machine that has one: pytest -m gpu tests/engine/test_gpu.py
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tests.engine.work import STARTER, images, pixels, work
from webui.core.engine import UsedFile
from webui.core.errors import OutOfMemory
from webui.core.events import ImageReady, Preview, Progress
from webui.core.model import ModelKind
from webui.core.request import (
    Hires,
    InputId,
    Mask,
    MaskArea,
    Noise,
    NoiseSource,
    Refiner,
    Source,
)
from webui.engine.local import LocalEngine, create
from webui.engine.philox import PhiloxGenerator
from webui.imaging.masks import overlay_alpha, prepare_mask
from webui.samplers import load_samplers

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
SIDE = 256


@pytest.fixture(scope="module")
def gpu() -> Iterator[LocalEngine]:
    engine = create({})
    engine.prepare()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def cpu() -> Iterator[LocalEngine]:
    engine = create({"use_cpu": True})
    engine.prepare()
    yield engine
    engine.close()


def draw(engine: LocalEngine, **changes: Any) -> Image.Image:
    drawn = {"prompt": "a red apple", "width": SIDE, "height": SIDE, "steps": 20}
    (image,) = images(engine, work(**{**drawn, "sampler": "dpmpp_2m", **changes}))
    return image


def middle(image: Image.Image) -> np.ndarray[Any, np.dtype[np.float64]]:
    return pixels(image)[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4].mean(axis=(0, 1))


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = float(((pixels(one) - pixels(other)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@pytest.fixture
def inputs(gpu: LocalEngine, tmp_path: Path) -> dict[InputId, Path]:
    draw(gpu).save(tmp_path / "apple.png")
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((140, 130, 220, 200), fill=255)
    mask.save(tmp_path / "mask.png")
    return {PICTURE: tmp_path / "apple.png", MASK: tmp_path / "mask.png"}


def test_it_runs_in_half_precision_under_the_gpus_name(gpu: LocalEngine) -> None:
    (ready,) = [event for event in gpu.generate(work()) if isinstance(event, ImageReady)]
    assert ready.facts["device"] == torch.cuda.get_device_name()
    assert ready.facts["precision"] == "float16"


def test_a_red_apple_is_redder_than_a_green_one(gpu: LocalEngine) -> None:
    red, green = middle(draw(gpu)), middle(draw(gpu, prompt="a green apple"))
    assert red[0] - red[1] > 30
    assert green[1] - green[0] > 10


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "dpmpp_2m"])
def test_the_gpu_draws_what_the_cpu_draws(gpu: LocalEngine, cpu: LocalEngine, sampler: str) -> None:
    """Noise is the CPU's on both, so a seed means the same picture up to rounding."""
    assert psnr(draw(gpu, sampler=sampler), draw(cpu, sampler=sampler)) > 22


def test_the_same_recipe_gives_the_same_pixels(gpu: LocalEngine) -> None:
    assert draw(gpu).tobytes() == draw(gpu).tobytes()


def together_and_alone(
    gpu: LocalEngine, is_exact: bool, **changes: Any
) -> list[tuple[Image.Image, Image.Image]]:
    """Each of four pictures as part of a batch and made alone."""
    drawn = {"prompt": "a red apple", "width": SIDE, "height": SIDE, "steps": 20}
    batch = replace(work(pictures=4, **{**drawn, **changes}), is_exact=is_exact)
    alone = [replace(batch, recipes=(recipe,)) for recipe in batch.recipes]
    together = images(gpu, batch)
    assert len({image.tobytes() for image in together}) == 4
    return list(zip(together, [images(gpu, one)[0] for one in alone], strict=True))


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "dpmpp_2m", "dpmpp_sde", "ddim", "unipc"])
def test_a_picture_of_a_batch_is_the_one_made_alone_up_to_rounding(
    gpu: LocalEngine, sampler: str
) -> None:
    for one, other in together_and_alone(gpu, is_exact=False, sampler=sampler):
        assert psnr(one, other) > 25


@pytest.mark.parametrize("sampler", [each.id for each in load_samplers()])
def test_an_exact_picture_of_a_batch_is_the_one_made_alone_to_the_last_bit(
    gpu: LocalEngine, sampler: str
) -> None:
    for one, other in together_and_alone(gpu, is_exact=True, sampler=sampler, steps=8):
        assert one.tobytes() == other.tobytes()


def test_an_exact_second_pass_is_the_same_alone_to_the_last_bit(gpu: LocalEngine) -> None:
    hires = Hires(scale=1.5, steps=6)
    for one, other in together_and_alone(gpu, is_exact=True, steps=8, hires=hires):
        assert one.size == (SIDE * 3 // 2, SIDE * 3 // 2)
        assert one.tobytes() == other.tobytes()


def test_nvidias_noise_is_what_this_gpu_draws() -> None:
    """The emulated generator against the real one, on a latent of a usual size."""
    shape = (4, 64, 64)
    real = torch.randn(shape, generator=torch.Generator("cuda").manual_seed(12345), device="cuda")
    emulated = torch.from_numpy(PhiloxGenerator(12345).normal(shape))
    assert torch.allclose(real.cpu(), emulated, atol=1e-5)


def test_the_gpus_own_noise_is_nvidias(gpu: LocalEngine) -> None:
    sources = (NoiseSource.GPU, NoiseSource.NV)
    drawn = [draw(gpu, noise=Noise(source=source)) for source in sources]
    assert psnr(*drawn) > 30


def test_models_that_take_turns_leave_the_gpus_memory_as_it_was(
    gpu: LocalEngine, tmp_path: Path
) -> None:
    shutil.copytree(STARTER.path, tmp_path / "second")
    second = replace(STARTER, id="second", name="second", path=tmp_path / "second")
    files = (UsedFile(kind=ModelKind.CHECKPOINT, ref="second", model=second),)
    refiner = Refiner(checkpoint="second", switch_at=0.5)
    draw(gpu, steps=2)
    before = torch.cuda.memory_allocated()
    for _ in range(5):
        images(gpu, replace(work(steps=2, refiner=refiner, hires=Hires()), files=files))
        draw(gpu, steps=2)
    assert torch.cuda.memory_allocated() <= before + 8 * 2**20


def test_a_batch_goes_through_the_network_together(gpu: LocalEngine) -> None:
    events = list(gpu.generate(work(pictures=4, preview_every_s=1e-6)))
    assert [event.steps for event in events if isinstance(event, Progress)] == [4] * 5
    assert {event.index for event in events if isinstance(event, Preview)} == {0, 1, 2, 3}


def test_previews_look_like_the_picture(gpu: LocalEngine) -> None:
    batch = work(width=SIDE, height=SIDE, steps=20, preview_every_s=1e-6)
    events = list(gpu.generate(batch))
    last = [event.jpeg for event in events if isinstance(event, Preview)][-1]
    (picture,) = [event.image for event in events if isinstance(event, ImageReady)]
    preview = Image.open(io.BytesIO(last))
    assert np.abs(pixels(preview) - pixels(picture.resize(preview.size))).mean() < 30


def test_img2img_leaves_the_source_at_strength_0(
    gpu: LocalEngine, inputs: dict[InputId, Path]
) -> None:
    plan = Source(image=PICTURE, denoising_strength=0.0)
    assert psnr(draw(gpu, source=plan, inputs=inputs), Image.open(inputs[PICTURE])) > 28


@pytest.mark.parametrize("area", list(MaskArea))
def test_outside_the_mask_every_pixel_is_the_sources(
    gpu: LocalEngine, inputs: dict[InputId, Path], area: MaskArea
) -> None:
    plan = Source(image=PICTURE, denoising_strength=1.0)
    mask = Mask(image=MASK, blur=4, area=area)
    image = draw(gpu, prompt="blue background", source=plan, mask=mask, inputs=inputs)
    prepared = prepare_mask(Image.open(inputs[MASK]), inverted=False, blur=4)
    outside = np.asarray(overlay_alpha(prepared)) == 0
    original = pixels(Image.open(inputs[PICTURE]))
    assert (pixels(image)[outside] == original[outside]).all()
    assert np.abs(pixels(image) - original)[np.asarray(prepared) > 250].mean() > 10


def test_cancelling_gives_the_memory_back(gpu: LocalEngine) -> None:
    """All but a few latents of the other batch's form, which a recording keeps."""
    draw(gpu, width=512, height=512, steps=2)
    before = torch.cuda.memory_allocated()
    with closing(gpu.generate(work(steps=150, pictures=8, width=512, height=512))) as events:
        for event in events:
            if isinstance(event, Progress) and event.step == 3:
                break
    assert torch.cuda.memory_allocated() <= before + 8 * 2**20


def test_too_little_memory_is_a_picture_or_an_answer_and_the_engine_goes_on(
    gpu: LocalEngine,
) -> None:
    draw(gpu, steps=1)
    total = torch.cuda.get_device_properties(0).total_memory
    spare = torch.cuda.memory_reserved() + 100 * 2**20
    torch.cuda.set_per_process_memory_fraction(spare / total)
    try:
        with suppress(OutOfMemory):
            assert len(images(gpu, work(pictures=2, steps=1, width=2048, height=2048))) == 2
        assert draw(gpu, steps=1).size == (SIDE, SIDE)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_closing_the_engine_frees_the_gpu() -> None:
    engine = create({})
    engine.prepare()
    before = torch.cuda.memory_allocated()
    draw(engine, steps=1)
    assert torch.cuda.memory_allocated() > before
    engine.close()
    assert torch.cuda.memory_allocated() <= before
