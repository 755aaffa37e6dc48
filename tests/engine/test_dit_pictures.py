"""Pictures of SD 3, Flux and Chroma: by every layout the same, by our loop the library's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.engine.work import RECIPE, pixels
from webui.core.engine import UsedFile, Work
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import InputId

if TYPE_CHECKING:
    from tests.families.dit_models import Tiny
    from webui.engine.painter import Painter

pytestmark = pytest.mark.torch

SIZE = {"width": 96, "height": 64}
PROMPT = "a (red:1.2) apple on a table"
KINDS = ("sd3", "flux", "schnell", "chroma")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A tiny model on disk: what the catalog says of it, and the files beside it."""

    info: ModelInfo
    parts: Mapping[str, Path]

    def files(self) -> tuple[UsedFile, ...]:
        """The parts as a batch brings them."""
        kinds = {part: ModelKind.TEXT_ENCODER for part in self.parts} | {"vae": ModelKind.VAE}
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
def painter() -> Painter:
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
    return Painter(device, load_families(), load_samplers(), load_schedules())


def make(kind: str) -> Tiny:
    """A tiny model of a kind."""
    from tests.families import dit_models

    makers: Mapping[str, Callable[[], Tiny]] = {
        "sd3": dit_models.make_sd3,
        "flux": dit_models.make_flux,
        "schnell": lambda: dit_models.make_flux(is_guided=False),
        "chroma": dit_models.make_chroma,
        "fill": lambda: dit_models.make_flux(in_channels=384, out_channels=64),
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


LAYOUTS: Mapping[str, Callable[[Tiny, Path], Model]] = {
    "whole": whole,
    "split": split,
    "folder": in_folder,
}


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
    painter.manager.release()
    return ready[0].image


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    """A folder for one model."""
    folder = tmp_path / "models"
    folder.mkdir()
    yield folder


@pytest.mark.parametrize("kind", KINDS)
def test_each_layout_makes_the_same_picture(kind: str, painter: Painter, fresh: Path) -> None:
    tiny = make(kind)
    made = [paint(painter, write(tiny, fresh)) for write in LAYOUTS.values()]
    assert len({image.tobytes() for image in made}) == 1
    assert np.ptp(pixels(made[0])) > 30


LIBRARY_CALLS: Mapping[str, dict[str, Any]] = {
    "sd3": {"guidance_scale": 4.0},
    "flux": {"guidance_scale": 3.5},
    "schnell": {"guidance_scale": 0.0, "max_sequence_length": 256},
}


@pytest.mark.parametrize("kind", ["sd3", "flux", "schnell"])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_own_steps_equal_the_librarys(kind: str, painter: Painter, fresh: Path) -> None:
    """Euler over the same times. The library begins at t = 1, whose noise level has no end; ours
    is 9999 there, so the first step is off by one in ten thousand."""
    import torch

    tiny, steps = make(kind), 5
    guidance = {"guidance_scale": 4.0 if kind == "sd3" else 1.0}
    ours = paint(painter, whole(tiny, fresh), steps=steps, prompt="a cat", **guidance)
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
def test_chromas_steps_equal_the_librarys(painter: Painter, fresh: Path) -> None:
    """The library is given the words without the padding that it means to hide: its mask of
    numbers is added to the attention instead."""
    import torch

    tiny, steps = make("chroma"), 5
    ours = paint(painter, whole(tiny, fresh), steps=steps, prompt="a cat", guidance_scale=4.0)
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
