"""Pictures of SD 3, Flux and Chroma: by every layout the same, by our loop the library's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.engine.work import RECIPE, pixels
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import InputId, Mask, Source

if TYPE_CHECKING:
    from tests.families.dit_models import Tiny
    from webui.engine.painter import Painter

pytestmark = pytest.mark.torch

SIZE = {"width": 96, "height": 64}
PROMPT = "a (red:1.2) apple on a table"
SOURCE, OTHER, MASK = InputId("1" * 64), InputId("2" * 64), InputId("3" * 64)
HALF = Mask(image=MASK, blur=0)
KONTEXT, CONTROL = "kontext", "control"
SLOW = pytest.mark.slow
MORE_KINDS = ("sd3", "chroma", "schnell", "zimage", "qwen", "lumina2", "flux2", "pixart", "alpha")
KINDS = ("flux", *(pytest.param(kind, marks=SLOW) for kind in MORE_KINDS))


@dataclass(frozen=True, kw_only=True)
class Model:
    """A tiny model on disk: what the catalog says of it, and the files beside it."""

    info: ModelInfo
    parts: Mapping[str, Path]

    def files(self) -> tuple[UsedFile, ...]:
        """The parts as a batch brings them."""
        kinds = dict.fromkeys(self.parts, ModelKind.TEXT_ENCODER) | {"vae": ModelKind.VAE}
        return tuple(
            UsedFile(kind=kinds[part], ref=part, model=_info(path, kinds[part], ""))
            for part, path in self.parts.items()
        )


def _info(path: Path, kind: ModelKind, family: str, **told: Any) -> ModelInfo:
    size = path.stat().st_size
    return ModelInfo(
        id=path.name, name=path.stem, kind=kind, family=family, path=path, size_bytes=size, **told
    )


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    """Paints in float32 on the CPU, on one thread."""
    import torch

    from webui.engine.device import Device
    from webui.engine.painter import Painter
    from webui.families import load_families
    from webui.families.components import Placement
    from webui.samplers import load_samplers
    from webui.schedules import load_schedules

    torch.set_num_threads(1)
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    device = Device(label="CPU", placement=placement, threads=1)
    made = Painter(device, load_families(), load_samplers(), load_schedules())
    yield made
    made.manager.release()


Wholes = Callable[[str], tuple["Tiny", "Model"]]


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Tiny models by kind, each made when it is first asked for, and written as one file."""
    made: dict[str, tuple[Tiny, Model]] = {}

    def whole_of(kind: str) -> tuple[Tiny, Model]:
        if kind not in made:
            tiny = make(kind)
            told: dict[str, Any] = {}
            if kind == KONTEXT:
                said = {"modelspec.architecture": "flux-1-kontext-dev"}
                told = {"metadata": said, "variant": KONTEXT}
            if kind == CONTROL:
                told = {"variant": CONTROL}
            made[kind] = tiny, whole(tiny, tmp_path_factory.mktemp(kind), **told)
        return made[kind]

    return whole_of


def make(kind: str) -> Tiny:
    """A tiny model of a kind."""
    from tests.families import dit_models, language_dits

    makers: Mapping[str, Callable[[], Tiny]] = {
        "sd3": dit_models.make_sd3,
        "flux": dit_models.make_flux,
        "schnell": lambda: dit_models.make_flux(is_guided=False),
        "chroma": dit_models.make_chroma,
        "fill": lambda: dit_models.make_flux(in_channels=384, out_channels=64),
        CONTROL: lambda: dit_models.make_flux(in_channels=128, out_channels=64),
        KONTEXT: dit_models.make_flux,
        "zimage": language_dits.make_zimage,
        "qwen": language_dits.make_qwen,
        "lumina2": language_dits.make_lumina2,
        "flux2": language_dits.make_flux2,
        "pixart": dit_models.make_pixart,
        "alpha": lambda: dit_models.make_pixart(use_additional_conditions=True),
    }
    return makers[kind]()


def whole(tiny: Tiny, folder: Path, **told: Any) -> Model:
    """It as one file."""
    from tests.families.dit_models import write_whole

    path = write_whole(tiny, folder / f"{tiny.family}.safetensors", told.pop("metadata", None))
    return Model(info=_info(path, ModelKind.CHECKPOINT, tiny.family, **told), parts={})


def split(tiny: Tiny, folder: Path) -> Model:
    """It as a file of the network alone, with all else beside it."""
    from tests.families.dit_models import write_network, write_parts

    path, parts = write_network(tiny, folder / "network.safetensors"), write_parts(tiny, folder)
    info = _info(path, ModelKind.CHECKPOINT, tiny.family, missing=tuple(parts))
    return Model(info=info, parts=parts)


def in_folder(tiny: Tiny, folder: Path) -> Model:
    """It as the library writes it."""
    from tests.families.dit_models import write_folder

    path = write_folder(tiny, folder / tiny.family)
    return Model(info=_info(path, ModelKind.CHECKPOINT, tiny.family), parts={})


LAYOUTS: Mapping[str, Callable[[Tiny, Path], Model]] = {"split": split, "folder": in_folder}
"""Beside one whole file."""


def paint(
    painter: Painter, model: Model, inputs: Mapping[InputId, Path] | None = None, **changes: Any
) -> Image.Image:
    """The picture of a recipe."""
    import torch

    told = model.info
    ref = ModelRef(id=told.id, name=told.name, family=told.family, hash="0" * 64)
    usual = {"prompt": PROMPT, "schedule": "simple", "steps": 2, "model": ref, **SIZE}
    recipe: Recipe = replace(RECIPE, **{**usual, **changes})
    files = model.files()
    if "vae" in model.parts:
        recipe = replace(recipe, vae="vae")
    batch = Work(
        recipes=(recipe,),
        model=model.info,
        inputs=inputs or {},
        files=files,
        preview_every_s=0.0,
    )
    with torch.inference_mode():
        ready = [event for event in painter.paint(batch) if isinstance(event, ImageReady)]
    return ready[0].image


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder for one model."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_each_layout_makes_the_same_picture(
    kind: str, painter: Painter, wholes: Wholes, fresh: Path
) -> None:
    tiny, one = wholes(kind)
    models = [one, *(write(tiny, fresh) for write in LAYOUTS.values())]
    made = [paint(painter, model) for model in models]
    assert len({image.tobytes() for image in made}) == 1
    assert np.ptp(pixels(made[0])) > 30


LIBRARY_CALLS: Mapping[str, dict[str, Any]] = {
    "sd3": {"guidance_scale": 4.0},
    "flux": {"guidance_scale": 3.5},
    "schnell": {"guidance_scale": 0.0, "max_sequence_length": 256},
    "zimage": {"guidance_scale": 3.0},  # counted from 0
    "lumina2": {"guidance_scale": 4.0, "cfg_normalization": False},
    "qwen": {},  # its guidance is weakened by a rule of the library's own
}
GUIDANCE: Mapping[str, float] = {"sd3": 4.0, "zimage": 4.0, "lumina2": 4.0}


@pytest.mark.parametrize(
    "kind", ["sd3", "flux", "zimage", "qwen", "lumina2", pytest.param("schnell", marks=SLOW)]
)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_own_steps_equal_the_librarys(kind: str, painter: Painter, wholes: Wholes) -> None:
    """Euler over the same times. The library begins at t = 1, whose noise level has no end; ours
    is 9999 there, so the first step is off by one in ten thousand."""
    import torch

    (tiny, model), steps = wholes(kind), 5
    guidance_scale = GUIDANCE.get(kind, 1.0)
    ours = paint(painter, model, steps=steps, prompt="a cat", guidance_scale=guidance_scale)
    theirs = tiny.library()(
        "a cat",
        sigmas=np.linspace(1, 1 / steps, steps),
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(RECIPE.seed),
        **SIZE,
        **LIBRARY_CALLS[kind],
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_chromas_steps_equal_the_librarys(painter: Painter, wholes: Wholes) -> None:
    """The library is given the words without the padding that it means to hide: its mask of
    numbers is added to the attention instead."""
    import torch

    (tiny, model), steps = wholes("chroma"), 5
    ours = paint(painter, model, steps=steps, prompt="a cat", guidance_scale=4.0)
    library = tiny.library()
    words, unwanted = (library._get_t5_prompt_embeds(text) for text in ("a cat", ""))
    counts = [int(mask.sum()) for _, mask in (words, unwanted)]
    theirs = library(
        prompt_embeds=words[0][:, : counts[0]],
        prompt_attention_mask=torch.ones(1, counts[0], dtype=torch.bool),
        negative_prompt_embeds=unwanted[0][:, : counts[1]],
        negative_prompt_attention_mask=torch.ones(1, counts[1], dtype=torch.bool),
        guidance_scale=4.0,
        sigmas=np.linspace(1, 1 / steps, steps),
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(RECIPE.seed),
        **SIZE,
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


@pytest.mark.parametrize("kind", ["pixart", pytest.param("alpha", marks=SLOW)])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pixarts_steps_equal_the_librarys(kind: str, painter: Painter, wholes: Wholes) -> None:
    """Euler over the same times, evenly apart from the last one."""
    import torch

    (tiny, model), steps = wholes(kind), 5
    given = {"prompt": "A cat", "guidance_scale": 4.0}
    ours = paint(painter, model, steps=steps, schedule="automatic", **given)
    theirs = tiny.library()(
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(RECIPE.seed),
        use_resolution_binning=False,
        clean_caption=False,
        **given,
        **SIZE,
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_flux2s_steps_equal_the_librarys(painter: Painter, wholes: Wholes) -> None:
    """The library draws its noise for tokens, so it is given ours."""
    import torch

    (tiny, model), steps = wholes("flux2"), 4
    ours = paint(painter, model, steps=steps, prompt="a cat", guidance_scale=1.0)
    library, drawn = tiny.library(), torch.Generator().manual_seed(RECIPE.seed)
    noise = torch.randn(1, 32, SIZE["height"] // 8, SIZE["width"] // 8, generator=drawn)
    theirs = library(
        prompt="a cat",
        latents=library._patchify_latents(noise),
        num_inference_steps=steps,
        guidance_scale=1.0,
        **SIZE,
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


@pytest.fixture
def inputs(tmp_path: Path) -> dict[InputId, Path]:
    """Two source pictures and a mask whose right half is white."""
    size = (SIZE["width"], SIZE["height"])
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((48, 0, 95, 63), fill=255)
    made = {SOURCE: Image.new("RGB", size, "red"), OTHER: Image.new("RGB", size, "teal")}
    for name, picture in {**made, MASK: mask}.items():
        picture.save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in (SOURCE, OTHER, MASK)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_is_painted_over(
    kind: str, painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    model = wholes(kind)[1]
    anew, red, teal = (
        paint(painter, model, inputs, source=source)
        for source in (None, Source(image=SOURCE), Source(image=OTHER))
    )
    assert len({image.tobytes() for image in (anew, red, teal)}) == 3


@pytest.mark.parametrize("kind", [*KINDS, "fill"])
def test_what_a_mask_keeps_is_the_sources(
    kind: str, painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    model = wholes(kind)[1]
    image = paint(
        painter, model, inputs, source=Source(image=SOURCE, denoising_strength=1.0), mask=HALF
    )
    red = np.array([255, 0, 0])
    assert (pixels(image)[:, :48] == red).all()
    assert np.abs(pixels(image)[:, 48:] - red).mean() > 30


def test_fill_sees_what_is_beside_the_mask(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    """Even where all that is painted begins as the same noise."""
    model = wholes("fill")[1]
    strong = {"denoising_strength": 1.0}
    red, teal = (
        paint(painter, model, inputs, source=Source(image=image, **strong), mask=HALF)
        for image in (SOURCE, OTHER)
    )
    assert np.abs(pixels(red)[:, 56:] - pixels(teal)[:, 56:]).mean() > 1


def test_kontext_looks_at_the_source_and_begins_with_noise(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    """So how much shall be painted over says nothing."""
    model = wholes(KONTEXT)[1]
    red, again, teal, alone = (
        paint(painter, model, inputs, source=source)
        for source in (
            Source(image=SOURCE, denoising_strength=0.9),
            Source(image=SOURCE, denoising_strength=0.1),
            Source(image=OTHER),
            None,
        )
    )
    assert red.tobytes() == again.tobytes()
    assert len({image.tobytes() for image in (red, teal, alone)}) == 3


def test_sd3_refuses_a_size_that_it_has_no_places_for(painter: Painter, wholes: Wholes) -> None:
    """The tiny one knows 16 tokens of 16 pixels along each side."""
    assert paint(painter, wholes("sd3")[1], width=256, height=64).size == (256, 64)
    with pytest.raises(InvalidRequest, match=r"Width 264 .* Try 256"):
        paint(painter, wholes("sd3")[1], width=264, height=64)


@pytest.mark.parametrize("kind", KINDS)
def test_sides_of_half_a_token_are_painted(kind: str, painter: Painter, wholes: Wholes) -> None:
    image = paint(painter, wholes(kind)[1], width=72, height=88)
    assert image.size == (72, 88)
    assert np.ptp(pixels(image)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_layout_paints_over_and_within(
    kind: str,
    layout: str,
    painter: Painter,
    wholes: Wholes,
    fresh: Path,
    inputs: dict[InputId, Path],
) -> None:
    tiny, one = wholes(kind)
    other = LAYOUTS[layout](tiny, fresh)
    for source, mask in ((Source(image=SOURCE), None), (Source(image=SOURCE), HALF)):
        made = [
            paint(painter, model, inputs, source=source, mask=mask).tobytes()
            for model in (one, other)
        ]
        assert made[0] == made[1]
