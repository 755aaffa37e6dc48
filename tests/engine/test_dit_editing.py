"""Models that look at a picture, or draw after one: what they are shown is what the library shows
them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.engine.test_dit_pictures import CONTROL, SIZE, Wholes, paint, painter, wholes
from tests.engine.work import RECIPE, pixels
from webui.core.errors import InvalidRequest
from webui.core.request import InputId, Source

if TYPE_CHECKING:
    from webui.engine.painter import Painter

__all__ = ["painter", "wholes"]

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SOURCE, OTHER = InputId("1" * 64), InputId("2" * 64)
STEPS = 3


def picture(colours: tuple[str, str]) -> Image.Image:
    """Two halves."""
    made = Image.new("RGB", (SIZE["width"], SIZE["height"]), colours[0])
    made.paste(Image.new("RGB", (32, 64), colours[1]), (16, 0))
    return made


@pytest.fixture
def inputs(tmp_path: Path) -> dict[InputId, Path]:
    """Two pictures."""
    made = {SOURCE: picture(("red", "white")), OTHER: picture(("teal", "black"))}
    for name, each in made.items():
        each.save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in made}


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest, of 255."""
    return int(np.abs(pixels(one) - pixels(other)).max())


def edited(
    painter: Painter, wholes: Wholes, kind: str, inputs: dict[InputId, Path], **changes: Any
) -> Image.Image:
    """A picture of a model that is shown the first one."""
    source = Source(image=SOURCE, denoising_strength=1.0)
    given = {"source": source, "steps": STEPS, "prompt": "a cat", "guidance_scale": 1.0, **changes}
    return paint(painter, wholes(kind)[1], inputs, **given)


def test_flux2_looks_at_the_source_as_the_library_does(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    import torch

    ours = edited(painter, wholes, "flux2", inputs)
    library, drawn = wholes("flux2")[0].library(), torch.Generator().manual_seed(RECIPE.seed)
    noise = torch.randn(1, 32, SIZE["height"] // 8, SIZE["width"] // 8, generator=drawn)
    theirs = library(
        prompt="a cat",
        image=picture(("red", "white")),
        latents=library._patchify_latents(noise),
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        **SIZE,
    ).images[0]
    assert difference(ours, theirs) <= 3


def test_flux2_paints_over_at_lower_strengths(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    """What is hardly changed is near the source, which one that only looks at it is not."""
    weak, strong = (
        edited(
            painter, wholes, "flux2", inputs, source=Source(image=SOURCE, denoising_strength=amount)
        )
        for amount in (0.1, 1.0)
    )
    assert difference(weak, strong) > 30


def test_flux_draws_after_a_picture_as_the_library_does(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    """The library draws from what the VAE thinks possible, so it is given the mean."""
    import torch
    from diffusers import FluxControlPipeline

    ours = edited(painter, wholes, CONTROL, inputs, distilled_guidance=30.0)
    tiny = wholes(CONTROL)[0]
    parts = {name: part for name, part in tiny.library().components.items() if part is not None}
    library = FluxControlPipeline(**parts)
    library.set_progress_bar_config(disable=True)
    theirs = library(
        "a cat",
        control_image=_latent(library, picture(("red", "white"))),
        sigmas=np.linspace(1, 1 / STEPS, STEPS),
        num_inference_steps=STEPS,
        guidance_scale=30.0,
        generator=torch.Generator().manual_seed(RECIPE.seed),
        **SIZE,
    ).images[0]
    assert difference(ours, theirs) <= 3


def _latent(library: Any, shown: Image.Image) -> Any:
    """The control picture as the library takes one that is encoded: tokens."""
    import torch

    vae = library.vae
    values = library.image_processor.preprocess(shown)
    with torch.inference_mode():
        latent = vae.encode(values).latent_dist.mean
    latent = (latent - vae.config.shift_factor) * vae.config.scaling_factor
    return library._pack_latents(latent, 1, 16, *latent.shape[-2:])


def test_a_model_that_draws_after_a_picture_wants_one(painter: Painter, wholes: Wholes) -> None:
    with pytest.raises(InvalidRequest, match="edges or the depths") as refused:
        paint(painter, wholes(CONTROL)[1])
    assert refused.value.field == "source.image"


def test_how_much_is_painted_over_says_nothing_to_it(
    painter: Painter, wholes: Wholes, inputs: dict[InputId, Path]
) -> None:
    weak, strong = (
        edited(
            painter, wholes, CONTROL, inputs, source=Source(image=SOURCE, denoising_strength=amount)
        )
        for amount in (0.1, 1.0)
    )
    other = edited(painter, wholes, CONTROL, inputs, source=Source(image=OTHER))
    assert weak.tobytes() == strong.tobytes() != other.tobytes()


@pytest.mark.parametrize(("family", "is_apart"), [("flux2", True), ("qwen", True), ("sd15", False)])
def test_memory_for_a_second_picture_is_learned_apart(family: str, is_apart: bool) -> None:
    from dataclasses import replace

    from tests.engine.work import STARTER, work
    from webui.engine.passes.plan import batch_key, passes_of

    model = replace(STARTER, family=family)
    keys = [
        batch_key(passes_of(recipe, batch), batch)
        for recipe in (RECIPE, replace(RECIPE, source=Source(image=SOURCE)))
        for batch in [replace(work(recipe), model=model)]
    ]
    assert (keys[0] != keys[1]) is is_apart
