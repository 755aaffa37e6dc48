"""Tiny models of Stable Diffusion 1, 2, XL and the refiner draw in every mode, with nothing asked
of any network, and as diffusers' own pipelines draw with the same weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image

from tests.conftest import png
from tests.engine.work import RECIPE, work
from tests.families.tiny_layouts import (
    FAMILIES,
    TinyModel,
    Written,
    make_tiny,
    write_folder,
    write_unet,
    write_whole,
)
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import InputId, Mask, MaskArea, Refiner, Source
from webui.engine.architectures.architecture import Frame, load_architectures
from webui.engine.architectures.sdxl_refiner import ARCHITECTURE
from webui.engine.architectures.text import Manner, Text, TextEncoder
from webui.engine.device import Device
from webui.engine.painter import Painter
from webui.families import Families
from webui.families.components import Components, Placement
from webui.families.ldm_layout import FIRST_LAYER, UNET
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch

SIDE, LOW = 64, 48
LAST_LAYER = f"{UNET}out.2.weight"
LOUDER = 20.0
"""What the tiny network says is so much louder that each part of its answer is seen."""
PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
MODES: Mapping[str, Mapping[str, Any]] = {
    "txt2img": {},
    "img2img": {"source": Source(image=PICTURE, denoising_strength=0.7)},
    "inpaint": {
        "source": Source(image=PICTURE, denoising_strength=1.0),
        "mask": Mask(image=MASK, blur=0, area=MaskArea.WHOLE),
    },
}


@dataclass
class Watch:
    """Which connections and look-ups were tried while it was on."""

    is_on: bool = False
    tried: list[str] = field(default_factory=list)

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """As sys.addaudithook calls it; a hook can't be taken off again."""
        if self.is_on and event in ("socket.getaddrinfo", "socket.connect", "socket.sendto"):
            self.tried.append(f"{event} {arguments}")


@pytest.fixture(scope="module")
def watch() -> Watch:
    watch = Watch()
    sys.addaudithook(watch.note)
    return watch


@pytest.fixture
def offline(watch: Watch) -> Iterator[None]:
    watch.tried.clear()
    watch.is_on = True
    yield
    watch.is_on = False
    assert watch.tried == []


@pytest.fixture(scope="module")
def tinies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TinyModel]:
    return {family: make_tiny(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(scope="module")
def painter(tinies: Mapping[str, TinyModel]) -> Iterator[Painter]:
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    device = Device(label="CPU", placement=placement, threads=1)
    families = Families([tiny.family for tiny in tinies.values()])
    with torch.inference_mode():
        yield Painter(device, families, load_samplers(), load_schedules())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[InputId, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "picture.png").write_bytes(png(SIDE, SIDE, "teal"))
    mask = Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    mask.save(folder / "mask.png")
    return {PICTURE: folder / "picture.png", MASK: folder / "mask.png"}


def info(family: str, path: Path, kind: ModelKind = ModelKind.CHECKPOINT) -> ModelInfo:
    return ModelInfo(
        id=path.name, name=path.stem, kind=kind, family=family, path=path, size_bytes=1
    )


def batch(family: str, written: Written, inputs: Mapping[InputId, Path], **changes: Any) -> Work:
    small = {"width": SIDE, "height": SIDE, "steps": 3, "sampler": "euler", **changes}
    files = [
        UsedFile(kind=kind, ref=part, model=replace(info("", path, kind), variant=part))
        for part, path in written.parts.items()
        for kind in [ModelKind.VAE if part == "vae" else ModelKind.TEXT_ENCODER]
    ]
    model = replace(info(family, written.path), missing=tuple(written.parts))
    if "vae" in written.parts:
        small["vae"] = "vae"
    return replace(work(inputs=inputs, **small), model=model, files=tuple(files))


def draw(painter: Painter, wanted: Work) -> np.ndarray[Any, np.dtype[np.float64]]:
    (ready,) = [each for each in painter.paint(wanted) if isinstance(each, ImageReady)]
    return np.asarray(ready.image.convert("RGB"), dtype=np.float64)


def is_quick(family: str, layout: str, mode: str) -> bool:
    """Other layouts hold the same weights, and modes differ little between families: the default
    set leaves their pictures to the slow one."""
    return layout == "whole" and (family == "sdxl" or (mode == "txt2img" and family != "sd15"))


def cases() -> list[object]:
    """Everything with everything."""
    return [
        pytest.param(*each, marks=[] if is_quick(*each) else [pytest.mark.slow])
        for each in product(FAMILIES, ("whole", "inpaint", "folder", "split"), MODES)
    ]


@pytest.mark.parametrize(("family", "layout", "mode"), cases())
def test_every_family_draws_in_every_mode_offline(
    painter: Painter,
    tinies: Mapping[str, TinyModel],
    inputs: Mapping[InputId, Path],
    tmp_path: Path,
    offline: None,
    family: str,
    layout: str,
    mode: str,
) -> None:
    tiny = tinies[family]
    wide = torch.randn(32, 9, 3, 3, generator=torch.Generator().manual_seed(0)) / 10
    written = {
        "whole": lambda: write_whole(tiny, tmp_path),
        "inpaint": lambda: write_whole(tiny, tmp_path, **{FIRST_LAYER: wide}),
        "folder": lambda: write_folder(tiny, tmp_path),
        "split": lambda: write_unet(tiny, tmp_path, "bare", "open_clip"),
    }[layout]()
    picture = draw(painter, batch(family, written, inputs, **MODES[mode]))
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.std() > 1
    if mode == "inpaint":
        teal = np.array([0, 128, 128])
        assert np.abs(picture[:, : SIDE // 2 - 8] - teal).max() <= 1


@pytest.mark.parametrize(
    "mode", ["txt2img", "img2img", pytest.param("inpaint", marks=pytest.mark.slow)]
)
def test_a_model_that_edits_looks_at_the_picture(
    painter: Painter,
    tinies: Mapping[str, TinyModel],
    inputs: Mapping[InputId, Path],
    tmp_path: Path,
    mode: str,
) -> None:
    """Two models that differ only in what they make of it draw alike from words alone."""
    drawn = []
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        first = tinies["sd15"].whole[FIRST_LAYER]
        extra = torch.randn(first.shape, generator=torch.Generator().manual_seed(seed))
        wide = {FIRST_LAYER: torch.cat([first, extra], dim=1)}
        loud = {LAST_LAYER: tinies["sd15"].whole[LAST_LAYER] * LOUDER}
        written = write_whole(tinies["sd15"], tmp_path / str(seed), **wide, **loud)
        drawn.append(draw(painter, batch("sd15", written, inputs, **MODES[mode])))
    assert np.array_equal(drawn[0], drawn[1]) == (mode == "txt2img")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "marks",
    [pytest.param({}, marks=pytest.mark.slow), {"v_pred": torch.empty(0)}],
    ids=["noise", "velocity"],
)
def test_sd2_draws_as_in_the_library(
    painter: Painter,
    tinies: Mapping[str, TinyModel],
    tmp_path: Path,
    marks: Mapping[str, torch.Tensor],
) -> None:
    wanted, parts = drawn_by(painter, tinies["sd2"], tmp_path, more=marks)
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders["text_encoder"],
        tokenizer=parts.tokenizers["text_encoder"],
        unet=parts.diffusion_model,
        scheduler=euler("v_prediction" if marks else "epsilon"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    assert_alike(wanted, pipeline, negative_prompt="blurry")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("negative", ["", pytest.param("blurry", marks=pytest.mark.slow)])
def test_sdxl_draws_as_in_the_library(
    painter: Painter, tinies: Mapping[str, TinyModel], tmp_path: Path, negative: str
) -> None:
    """An empty negative prompt is nothing at all in both."""
    wanted, parts = drawn_by(painter, tinies["sdxl"], tmp_path, negative=negative)
    pipeline = StableDiffusionXLPipeline(**xl_parts(parts), force_zeros_for_empty_prompt=True)
    assert_alike(wanted, pipeline, negative_prompt=negative or None)


def test_the_refiner_is_told_what_the_library_tells_it(
    painter: Painter, tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    _, parts = drawn_by(painter, tinies["sdxl_refiner"], tmp_path)
    pipeline = StableDiffusionXLImg2ImgPipeline(
        **xl_parts(parts), requires_aesthetics_score=True, force_zeros_for_empty_prompt=False
    )
    tokens, negative, pooled, negative_pooled = pipeline.encode_prompt(
        "a red apple", negative_prompt="blurry", device=torch.device("cpu")
    )
    ids, negative_ids = pipeline._get_add_time_ids(
        (48, 64), (0, 0), (48, 64), 6.0, 2.5, (48, 64), (0, 0), (48, 64), torch.float32, 48
    )
    reader = ARCHITECTURE.make_encoder(parts)
    latents, time = torch.zeros(1, 4, 6, 8), torch.tensor(500.0)
    for prompt, is_negative, expected in (
        ("a red apple", False, (tokens, pooled, ids)),
        ("blurry", True, (negative, negative_pooled, negative_ids)),
    ):
        text = reader.encode(prompt, Manner(), PROMPT, is_negative=is_negative)
        told = ARCHITECTURE.arguments(latents, time, text, Frame(width=64, height=48))
        added = told["added_cond_kwargs"]
        found = (told["encoder_hidden_states"], added["text_embeds"], added["time_ids"])
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", [pytest.param("sd15", marks=pytest.mark.slow), "sdxl"])
def test_an_lcm_is_told_the_guidance_as_the_library_tells_it(
    painter: Painter, tinies: Mapping[str, TinyModel], tmp_path: Path, family: str
) -> None:
    """And draws otherwise when it is told otherwise."""
    time_width = len(tinies[family].parts["unet"]["time_embedding.linear_1.weight"][0])
    told = torch.randn(time_width, 256, generator=torch.Generator().manual_seed(0))
    more = {
        f"{UNET}time_embed.cond_proj.weight": told,
        LAST_LAYER: tinies[family].whole[LAST_LAYER] * LOUDER,
    }
    written = write_whole(tinies[family], tmp_path, **more)
    pictures = [
        draw(painter, batch(family, written, {}, distilled_guidance=scale)) for scale in (2.0, 8.0)
    ]
    assert not np.array_equal(pictures[0], pictures[1])
    architecture = load_architectures()[tinies[family].load(written).architecture]
    text = Text(tokens=torch.zeros(2, 77, 8), pooled=torch.zeros(2, 8))
    frame = Frame(width=64, height=64, distilled_guidance=8.0)
    found = architecture.arguments(torch.zeros(2, 4, 8, 8), torch.tensor(9.0), text, frame)
    expected = StableDiffusionPipeline.get_guidance_scale_embedding(
        None, torch.tensor([7.0, 7.0]), embedding_dim=256
    )
    torch.testing.assert_close(found["timestep_cond"], expected)


def drawn_by(
    painter: Painter,
    tiny: TinyModel,
    folder: Path,
    negative: str = "blurry",
    more: Mapping[str, torch.Tensor] = MappingProxyType({}),
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], Components]:
    """A picture by our own steps, and the model that drew it."""
    loud = {LAST_LAYER: tiny.whole[LAST_LAYER] * LOUDER}
    written = write_whole(tiny, folder, **loud, **more)
    wanted = batch(
        tiny.id, written, {}, height=LOW, steps=6, schedule="uniform", negative_prompt=negative
    )
    picture = draw(painter, wanted)
    return picture, painter.manager.get(wanted.model).components


def euler(prediction: str = "epsilon") -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        prediction_type=prediction,
    )


def xl_parts(parts: Components) -> dict[str, Any]:
    return {
        "vae": parts.vae,
        "text_encoder": parts.text_encoders.get("text_encoder"),
        "text_encoder_2": parts.text_encoders["text_encoder_2"],
        "tokenizer": parts.tokenizers.get("text_encoder"),
        "tokenizer_2": parts.tokenizers["text_encoder_2"],
        "unet": parts.diffusion_model,
        "scheduler": euler(),
        "add_watermarker": False,
    }


def assert_alike(
    ours: np.ndarray[Any, np.dtype[np.float64]], pipeline: Any, negative_prompt: str | None
) -> None:
    """In float32, 6 steps of Euler: the pixels are at most 2 of 255 apart: sums round differently,
    1 was seen."""
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        RECIPE.prompt,
        negative_prompt=negative_prompt,
        num_inference_steps=6,
        guidance_scale=RECIPE.guidance_scale,
        width=SIDE,
        height=LOW,
        generator=torch.Generator().manual_seed(RECIPE.seed),
    ).images[0]
    difference = np.abs(ours - np.asarray(theirs.convert("RGB"), dtype=np.float64))
    print("DIFF", difference.max(), difference.mean(), ours.std())
    assert difference.max() <= 3


def test_the_refiner_takes_over_from_sdxl(
    painter: Painter,
    tinies: Mapping[str, TinyModel],
    inputs: Mapping[InputId, Path],
    tmp_path: Path,
) -> None:
    for family in ("sdxl", "sdxl_refiner"):
        (tmp_path / family).mkdir()
    base = write_whole(tinies["sdxl"], tmp_path / "sdxl")
    loud = {LAST_LAYER: tinies["sdxl_refiner"].whole[LAST_LAYER] * LOUDER}
    second = write_whole(tinies["sdxl_refiner"], tmp_path / "sdxl_refiner", **loud)
    alone = draw(painter, batch("sdxl", base, inputs, steps=6))
    wanted = batch(
        "sdxl", base, inputs, steps=6, refiner=Refiner(checkpoint="second", switch_at=0.5)
    )
    refiner = info("sdxl_refiner", second.path)
    file = UsedFile(kind=ModelKind.CHECKPOINT, ref="second", model=refiner)
    refined = draw(painter, replace(wanted, files=(file,)))
    assert 1 < np.abs(refined - alone).mean() < 100


def encoder_of(tiny: TinyModel, folder: Path) -> TextEncoder:
    components = tiny.load(write_whole(tiny, folder))
    return load_architectures()[components.architecture].make_encoder(components)


def test_sdxl_counts_clip_skip_from_the_layer_of_its_training(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    encoder = encoder_of(tinies["sdxl"], tmp_path)
    first, second, third = (
        encoder.encode("a cat", Manner(clip_skip=skip), PROMPT, is_negative=False).tokens
        for skip in (1, 2, 3)
    )
    assert torch.equal(first, second)
    assert not torch.equal(second, third)


def test_long_prompts_of_sdxl_are_chunks_whose_first_tells_the_whole(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    encoder = encoder_of(tinies["sdxl"], tmp_path)
    short = encoder.encode("a cat", Manner(), PROMPT, is_negative=False)
    long = encoder.encode("a cat BREAK a dog", Manner(), PROMPT, is_negative=False)
    assert long.tokens.shape == (1, 154, 80)
    assert torch.equal(long.tokens[:, :77], short.tokens)
    assert short.pooled is not None
    assert long.pooled is not None
    torch.testing.assert_close(long.pooled, short.pooled)
    nothing = encoder.encode("", Manner(), NEGATIVE_PROMPT, is_negative=True)
    filled = encoder.lengthen(nothing, 154, Manner())
    assert filled.tokens.shape == (1, 154, 80)
    assert not filled.tokens.any()
    assert torch.equal(encoder.lengthen(short, 154, Manner()).tokens[:, :77], short.tokens)


def test_an_embedding_needs_vectors_for_both_encoders(
    tinies: Mapping[str, TinyModel], tmp_path: Path
) -> None:
    encoder = encoder_of(tinies["sdxl"], tmp_path)
    vectors = {"text_encoder": torch.ones(2, 32), "text_encoder_2": torch.ones(2, 48)}
    manner = Manner(embeddings={"glow": vectors})
    plain = encoder.encode("a glow", Manner(), PROMPT, is_negative=False)
    glowing = encoder.encode("a glow", manner, PROMPT, is_negative=False)
    changed = (plain.tokens != glowing.tokens).any(dim=1)[0]
    assert changed[:32].any()
    assert changed[32:].any()
    half = Manner(embeddings={"glow": {"text_encoder": torch.ones(2, 32)}})
    with pytest.raises(InvalidRequest, match="“glow” does not have vectors for both"):
        encoder.encode("a glow", half, PROMPT, is_negative=False)
