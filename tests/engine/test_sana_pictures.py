"""Pictures of Sana: by every layout the same, by our loop the library's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.engine.test_dit_pictures import (
    HALF,
    OTHER,
    SIZE,
    SOURCE,
    Model,
    in_folder,
    inputs,
    paint,
    painter,
    split,
    whole,
)
from tests.engine.work import RECIPE, pixels
from webui.core.errors import InvalidRequest
from webui.core.request import InputId, Source

if TYPE_CHECKING:
    from tests.families.dit_models import Tiny
    from webui.engine.painter import Painter

pytestmark = pytest.mark.torch

__all__ = ["inputs", "painter"]


@pytest.fixture(scope="module")
def sana(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, Model]:
    """A tiny one, and as the library writes it."""
    from tests.families.language_dits import make_sana

    tiny = make_sana()
    return tiny, in_folder(tiny, tmp_path_factory.mktemp("sana"))


def test_each_layout_makes_the_same_picture(painter: Painter, tmp_path: Path) -> None:
    """Also with the norms of 1.5."""
    from tests.families.language_dits import make_sana

    tiny = make_sana(qk_norm="rms_norm_across_heads")
    made = [write(tiny, tmp_path) for write in (whole, split, by_the_librarys_names, in_folder)]
    painted = [paint(painter, model) for model in made]
    assert len({image.tobytes() for image in painted}) == 1
    assert np.ptp(pixels(painted[0])) > 30


def by_the_librarys_names(tiny: Tiny, folder: Path) -> Model:
    """The network alone, as the library writes it, with all else beside it."""
    from tests.families.dit_models import write_diffusers_network

    other = split(tiny, folder)
    path = write_diffusers_network(tiny, folder / "library.safetensors")
    return replace(other, info=replace(other.info, path=path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_own_steps_equal_the_librarys(painter: Painter, sana: tuple[Tiny, Model]) -> None:
    import torch

    (tiny, model), steps = sana, 5
    ours = paint(painter, model, steps=steps, prompt="a cat", guidance_scale=4.0)
    library = tiny.library()
    theirs = library(
        "a cat",
        sigmas=list(np.linspace(1, 1 / steps, steps)),
        num_inference_steps=steps,
        guidance_scale=4.0,
        use_resolution_binning=False,
        generator=torch.Generator().manual_seed(RECIPE.seed),
        **SIZE,
    ).images[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 3


def test_a_source_is_painted_over_and_within(
    painter: Painter, sana: tuple[Tiny, Model], inputs: dict[InputId, Path]
) -> None:
    model = sana[1]
    red, teal = (
        paint(painter, model, inputs, source=Source(image=image)) for image in (SOURCE, OTHER)
    )
    assert red.tobytes() != teal.tobytes()
    strong = Source(image=SOURCE, denoising_strength=1.0)
    within = paint(painter, model, inputs, source=strong, mask=HALF)
    assert (pixels(within)[:, :48] == [255, 0, 0]).all()


def test_a_size_of_broken_cells_is_refused_with_those_that_work(
    painter: Painter, sana: tuple[Tiny, Model]
) -> None:
    with pytest.raises(InvalidRequest, match=r"Width 104 is not a multiple of 32.*96 or 128"):
        paint(painter, sana[1], width=104)
