"""Inpainting and outpainting by the real engine, with the starter model and one made from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from tests.engine.work import STARTER, images, pixels, work
from webui.core.engine import Work
from webui.core.model import ModelInfo
from webui.core.request import (
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    Outpaint,
    SoftInpainting,
    Source,
)
from webui.engine.local import LocalEngine
from webui.imaging.masks import prepare_mask
from webui.imaging.outpaint import outpaint_size

pytestmark = pytest.mark.torch

PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
SIZE = (128, 96)
DRAWN: Mapping[str, Any] = {"width": 128, "height": 96, "steps": 3, "sampler": "dpmpp_2m"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[InputId, Path]:
    """Soft colours with a disc, and a mask over part of it."""
    folder = tmp_path_factory.mktemp("inputs")
    y, x = np.mgrid[0:96, 0:128] / 128
    picture = Image.fromarray(
        np.dstack([90 + 120 * x, 200 - 90 * y, 120 + 60 * y]).astype(np.uint8)
    )
    ImageDraw.Draw(picture).ellipse((30, 20, 90, 80), fill=(220, 60, 50))
    picture.save(folder / "picture.png")
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).rectangle((50, 35, 95, 75), fill=255)
    mask.save(folder / "mask.png")
    return {PICTURE: folder / "picture.png", MASK: folder / "mask.png"}


@pytest.fixture(scope="module")
def inpainter(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    """The starter with a UNet of nine inputs, of which it ignores the new five."""
    folder = tmp_path_factory.mktemp("models") / "inpainting"
    shutil.copytree(STARTER.path, folder)
    widen(folder, torch.zeros(5))
    return replace(STARTER, id="inpainting", name="inpainting", path=folder, is_starter=False)


def widen(folder: Path, weight: torch.Tensor) -> None:
    """Gives the UNet five more inputs, each with one weight everywhere."""
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"in_channels": 9}))
    for file in (folder / "unet").glob("*.safetensors"):
        tensors = load_file(file)
        if "conv_in.weight" in tensors:
            first = tensors["conv_in.weight"][:, :4]
            wide = weight[None, :, None, None].expand(len(first), 5, 3, 3).to(first.dtype)
            save_file(tensors | {"conv_in.weight": torch.cat([first, wide], 1)}, file)


def draw(
    engine: LocalEngine,
    inputs: Mapping[InputId, Path],
    mask: Mask | None = None,
    model: ModelInfo = STARTER,
    **changes: Any,
) -> Image.Image:
    source = Source(image=PICTURE, denoising_strength=0.75)
    asked = {"source": source, "mask": mask, "prompt": "a green apple", **DRAWN, **changes}
    batch: Work = replace(work(inputs=inputs, **asked), model=model)
    (image,) = images(engine, batch)
    return image


@pytest.mark.parametrize("area", list(MaskArea))
@pytest.mark.parametrize(
    "changes",
    [{"inverted": True}, {"content": MaskContent.NOISE}, {"soft": SoftInpainting()}],
    ids=["inverted", "noise", "soft"],
)
def test_beyond_the_mask_every_pixel_is_the_sources(
    local: LocalEngine, inputs: dict[InputId, Path], area: MaskArea, changes: dict[str, Any]
) -> None:
    mask = Mask(image=MASK, area=area, blur=3, padding=8, **changes)
    result, source = pixels(draw(local, inputs, mask)), pixels(Image.open(inputs[PICTURE]))
    prepared = np.asarray(prepare_mask(Image.open(inputs[MASK]), mask.inverted, mask.blur))
    assert (result[prepared == 0] == source[prepared == 0]).all()
    assert np.abs(result - source)[prepared == 255].mean() > 2


def test_what_lies_under_the_mask_matters(local: LocalEngine, inputs: dict[InputId, Path]) -> None:
    drawn = {draw(local, inputs, Mask(image=MASK, content=each)).tobytes() for each in MaskContent}
    assert len(drawn) == len(MaskContent)


def test_new_sides_are_painted_and_the_source_stays(
    local: LocalEngine, inputs: dict[InputId, Path]
) -> None:
    outpaint = Outpaint(right=40, top=12, overlap=16)
    width, height = outpaint_size(SIZE, outpaint)
    result = draw(local, inputs, outpaint=outpaint, width=width, height=height)
    assert result.size == (168, 108)
    source = pixels(Image.open(inputs[PICTURE]))
    assert (pixels(result)[12 + 16 :, : 128 - 16] == source[16:, : 128 - 16]).all()
    assert pixels(result)[:, 130:].std() > 5


def test_a_model_that_ignores_what_it_is_shown_paints_as_the_plain_one(
    local: LocalEngine, inputs: dict[InputId, Path], inpainter: ModelInfo
) -> None:
    """Kernels may sum nine channels in another order than four: a level or two."""
    masks = (None, Mask(image=MASK))
    plain, wide = (
        [pixels(draw(local, inputs, mask, model)) for mask in masks]
        for model in (STARTER, inpainter)
    )
    assert np.abs(np.array(plain) - np.array(wide)).mean() < 1


def test_an_inpainting_model_heeds_how_much_it_is_shown(
    local: LocalEngine, inputs: dict[InputId, Path], inpainter: ModelInfo, tmp_path: Path
) -> None:
    seeing = replace(inpainter, id="seeing", path=tmp_path / "seeing")
    shutil.copytree(inpainter.path, seeing.path)
    widen(seeing.path, torch.full((5,), 0.05))
    drawn = [
        draw(local, inputs, Mask(image=MASK, conditioning_strength=strength), seeing)
        for strength in (0.0, 1.0)
    ]
    assert np.abs(pixels(drawn[0]) - pixels(drawn[1])).mean() > 0.1
    plain = draw(local, inputs, model=seeing, source=None)
    assert plain.size == SIZE
