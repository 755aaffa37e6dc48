"""Pictures of Sana, which is read from folders: by our loop the library's."""

from __future__ import annotations

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
