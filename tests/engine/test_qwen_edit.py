"""Qwen-Image-Edit: its text encoder sees what the library's sees, and so does its network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.engine.test_dit_pictures import (
    LAYOUTS,
    SIZE,
    Model,
    paint,
    painter,
    whole,
)
from tests.engine.test_language_text import Loaded, loaded, told
from tests.engine.work import pixels
from webui.core.errors import ModelUnreadable
from webui.core.request import InputId, Source

if TYPE_CHECKING:
    from torch import Tensor

    from webui.engine.painter import Painter

__all__ = ["painter"]

pytestmark = pytest.mark.torch

SOURCE, OTHER = InputId("1" * 64), InputId("2" * 64)
ORDER = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture,"
    " objects, background), then explain how the user's text instruction should alter or modify the"
    " image. Generate a new image that meets the user's requirements while maintaining consistency "
    "with the original input where appropriate.<|im_end|>\n<|im_start|>user\n"
)
END = "<|im_end|>\n<|im_start|>assistant\n"
SHOWN = "<|vision_start|>{}<|vision_end|>"
PAD = "<|image_pad|>"
SIDES = {"": (1288, 840), "plus": (476, 308)}
"""Of what a picture of 96 x 64 is shown as, to either release."""


def picture(colour: str) -> Image.Image:
    """Two halves and a gradient."""
    made = Image.linear_gradient("L").resize((SIZE["width"], SIZE["height"])).convert("RGB")
    made.paste(Image.new("RGB", (40, 64), colour), (16, 0))
    return made


@pytest.fixture(scope="module")
def edit(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A tiny one, and as it is loaded from one file that calls it so."""
    from tests.families.language_dits import make_qwen_edit

    told = {"modelspec.title": "Qwen-Image-Edit"}
    return loaded(make_qwen_edit(), tmp_path_factory.mktemp("edit"), told)


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """One of November 2025, told by a mark."""
    from tests.families.language_dits import make_qwen_edit

    return loaded(make_qwen_edit(is_plus=True), tmp_path_factory.mktemp("plus"))


def library_tokens(loaded: Loaded, said: str, shown: Image.Image) -> Tensor:
    """What the library's model makes of a text with a place for a picture, without the order."""
    import torch
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from tests.families.language_dits import qwen_tokenizer

    seen = Qwen2VLImageProcessorPil(max_pixels=3584 * 3584)(shown, return_tensors="pt")
    count = int(seen.image_grid_thw.prod()) // 4
    ids = qwen_tokenizer()(ORDER + said.format(PAD * count) + END, return_tensors="pt").input_ids
    with torch.inference_mode():
        answer = loaded[0].encoders["text_encoder"](
            input_ids=ids,
            pixel_values=seen.pixel_values,
            image_grid_thw=seen.image_grid_thw,
            mm_token_type_ids=(ids == qwen_tokenizer().convert_tokens_to_ids(PAD)).int(),
            output_hidden_states=True,
        )
    found: Tensor = answer.hidden_states[-1][:, 64:]
    return found


def test_the_text_encoder_sees_the_picture(edit: Loaded) -> None:
    ours = told(edit[1], "make it (red:1.3)", pictures=(picture("red"),))
    shown = picture("red").resize((1248, 832), Image.Resampling.LANCZOS)
    shown = shown.resize((1260, 840), Image.Resampling.BICUBIC)
    wanted = library_tokens(edit, SHOWN + "make it red", shown)
    assert ours.tokens.shape == wanted.shape
    assert (ours.tokens - wanted).abs().max() < 1e-4


def test_later_releases_number_it_and_see_less(plus: Loaded) -> None:
    ours = told(plus[1], "make it red", pictures=(picture("red"),))
    shown = picture("red").resize((480, 320), Image.Resampling.LANCZOS)
    shown = shown.resize((476, 308), Image.Resampling.BICUBIC)
    wanted = library_tokens(plus, f"Picture 1: {SHOWN}make it red", shown)
    assert ours.tokens.shape == wanted.shape
    assert (ours.tokens - wanted).abs().max() < 1e-4


def test_without_a_picture_it_reads_words(plus: Loaded) -> None:
    """A mark for a picture that is not there is left out."""
    plain = told(plus[1], "a cat")
    assert told(plus[1], f"a cat{PAD}").tokens.equal(plain.tokens)
    assert not told(plus[1], "a dog").tokens.equal(plain.tokens)


def test_the_network_sees_the_picture_behind_its_own(plus: Loaded) -> None:
    """Tokens of the picture that is made, then those of the other; each with its size."""
    import torch

    from webui.engine.architectures import load_architectures
    from webui.engine.architectures.architecture import Frame
    from webui.engine.architectures.text import Text

    network = plus[1].diffusion_model
    architecture = load_architectures()[plus[1].architecture]
    seen, shown = torch.randn(2, 16, 4, 6), torch.randn(1, 16, 8, 4)
    frame = Frame(width=48, height=32, references=(shown,))
    text = Text(tokens=torch.randn(2, 5, 128))
    given = architecture.arguments(seen, torch.tensor(0.7), text, frame)
    assert given["img_shapes"] == [[(1, 2, 3), (1, 4, 2)]] * 2
    assert given["hidden_states"].shape == (2, 6 + 8, 64)
    with torch.inference_mode():
        answer = architecture.answer(network(**given, return_dict=False)[0], seen)
    assert answer.shape == seen.shape
    assert network.config.zero_cond_t


@pytest.fixture
def inputs(tmp_path: Path) -> Mapping[InputId, Path]:
    """Two pictures."""
    for name, colour in ((SOURCE, "red"), (OTHER, "teal")):
        picture(colour).save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in (SOURCE, OTHER)}


def models(made: Loaded, folder: Path) -> list[Model]:
    """It in each layout."""
    tiny = made[0]
    one = whole(tiny, folder, variant="edit-2511")
    others = [write(tiny, folder) for write in LAYOUTS.values()]
    return [one, *others]


def test_it_looks_at_the_source_and_begins_with_noise(
    plus: Loaded, painter: Painter, inputs: Mapping[InputId, Path], tmp_path: Path
) -> None:
    model = whole(plus[0], tmp_path, variant="edit-2511")
    red, again, teal, alone = (
        paint(painter, model, dict(inputs), source=source, guidance_scale=2.0)
        for source in (
            Source(image=SOURCE, denoising_strength=0.9),
            Source(image=SOURCE, denoising_strength=0.1),
            Source(image=OTHER),
            None,
        )
    )
    assert red.tobytes() == again.tobytes()
    assert len({image.tobytes() for image in (red, teal, alone)}) == 3
    assert np.ptp(pixels(red)) > 30


@pytest.mark.slow
def test_each_layout_makes_the_same_picture(
    plus: Loaded, painter: Painter, inputs: Mapping[InputId, Path], tmp_path: Path
) -> None:
    import json
    from dataclasses import replace

    made = models(plus, tmp_path)
    index = made[-1].info.path / "model_index.json"
    told = json.loads(index.read_text("utf-8")) | {"_class_name": "QwenImageEditPlusPipeline"}
    index.write_text(json.dumps(told), "utf-8")
    named = [replace(each, info=replace(each.info, variant="edit-2511")) for each in made]
    source = Source(image=SOURCE)
    painted = {paint(painter, each, dict(inputs), source=source).tobytes() for each in named}
    assert len(painted) == 1


def test_a_text_encoder_without_eyes_is_refused(plus: Loaded, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from tests.families.dit_models import write_network, write_parts
    from webui.families import load_families
    from webui.families.components import Placement

    parts = write_parts(plus[0], tmp_path)
    blind = {key: each for key, each in load_file(parts["qwen25vl"]).items() if "visual" not in key}
    save_file(blind, parts["qwen25vl"])
    path = write_network(plus[0], tmp_path / "edit.safetensors")
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(ModelUnreadable, match="reads words alone"):
        load_families()["qwen"].load(path, placement, parts)


def test_its_text_encoder_can_be_streamed(plus: Loaded, tmp_path: Path) -> None:
    """Also where the layers that see are left out."""
    from dataclasses import replace

    import torch

    from tests.engine.weights.parts import CPU
    from tests.families.dit_models import write_parts
    from webui.engine.weights.chunks import Grain
    from webui.engine.weights.store import WeightStore
    from webui.families.components import Placement
    from webui.families.seeing_model import load_seeing_model
    from webui.families.weights import TensorFiles

    grain = Grain(small_layer=1000, smallest_chunk=50_000, block=30_000, large_table=1_000_000)
    store = WeightStore(CPU, threads=1, grain=grain)
    placement = Placement(device=CPU, dtype=torch.float32, defer=store.defer)
    with TensorFiles("tiny", [write_parts(plus[0], tmp_path)["qwen25vl"]]) as files:
        model = load_seeing_model(files, "qwen25vl", placement)
    weights = store.of(model)
    weights.place(weights.least_bytes)
    assert weights.is_streamed
    streamed = replace(plus[1], text_encoders={"text_encoder": model})
    for shown in ((picture("red"),), (), (picture("teal"),)):
        found = told(streamed, "make it red", pictures=shown).tokens
        assert found.equal(told(plus[1], "make it red", pictures=shown).tokens)
