"""Inpainting in latents: where it starts, what is kept at each step, what special models see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.engine.work import RECIPE, STARTER
from webui.core.recipe import Recipe
from webui.core.request import InputId, Mask, MaskContent, SoftInpainting, Source
from webui.engine.autoencoder import encode
from webui.engine.canvas import Canvas
from webui.engine.inpaint import begin, extra_channels, mask_latent, masked, settle, soft_blend
from webui.engine.pipeline import Pipeline
from webui.engine.pipeline_manager import PipelineManager
from webui.families import load_families
from webui.families.components import Placement

pytestmark = pytest.mark.torch

SHAPE = (1, 4, 8, 16)
RANDOM = torch.Generator().manual_seed(0)
KEPT, PAINTED, NOISE = (torch.randn(SHAPE, generator=RANDOM) for _ in range(3))
SOFT = SoftInpainting()


@dataclass
class Answer:
    """A denoiser that always answers the same."""

    guided: Tensor
    unguided: Tensor

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self.guided

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        return self.guided, self.unguided


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    with torch.inference_mode():
        yield PipelineManager(load_families(), placement).get(STARTER)


def recipe(soft: SoftInpainting | None = None, **changes: float) -> Recipe:
    mask = Mask(image=InputId("2" * 64), soft=soft, **changes)  # type: ignore[arg-type]
    return replace(RECIPE, source=Source(image=InputId("1" * 64)), mask=mask)


def left_half(size: tuple[int, int] = (128, 64), level: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(level, (0, 0, size[0] // 2, size[1]))
    return mask


def picture() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    return Image.fromarray(values)


def canvas(content: MaskContent = MaskContent.ORIGINAL, level: int = 255) -> Canvas:
    return Canvas(source=picture(), mask=left_half(level=level), content=content)


def cells(content: MaskContent = MaskContent.ORIGINAL) -> Tensor:
    mask = mask_latent(canvas(content), recipe(), KEPT)
    assert mask is not None
    return mask


def test_the_mask_of_cells_is_hard_or_soft() -> None:
    hard, soft = (mask_latent(canvas(level=102), which, KEPT) for which in (recipe(), recipe(SOFT)))
    assert hard is not None
    assert soft is not None
    assert hard.shape == soft.shape == (1, 1, 8, 16)
    assert hard.max() == 0
    assert soft[0, 0, 4, 2].item() == pytest.approx(0.4)
    assert mask_latent(Canvas(), RECIPE, KEPT) is None


@pytest.mark.parametrize(
    ("content", "under"),
    [
        (MaskContent.ORIGINAL, KEPT),
        (MaskContent.FILL, KEPT),
        (MaskContent.NOISE, NOISE),
        (MaskContent.NOTHING, torch.zeros(SHAPE)),
    ],
)
def test_what_lies_under_the_mask_at_the_start(content: MaskContent, under: Tensor) -> None:
    """Each picture of a batch has its own noise there; beyond the mask all have the source."""
    noise = torch.cat([NOISE, -NOISE])
    start = begin(canvas(content), recipe(), KEPT, cells(), noise)
    assert torch.equal(start[:1, ..., :8], under[..., :8])
    assert torch.equal(start[:1, ..., 8:], KEPT[..., 8:])
    if content is MaskContent.NOISE:
        assert torch.equal(start[1:, ..., :8], -NOISE[..., :8])


def test_without_a_mask_all_starts_from_the_source() -> None:
    assert begin(Canvas(source=picture()), RECIPE, KEPT, None, NOISE) is KEPT


@pytest.mark.parametrize("soft", [None, SOFT])
@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])
def test_where_the_mask_says_all_or_nothing_it_is_obeyed_to_the_bit(
    soft: SoftInpainting | None, sigma: float
) -> None:
    denoise = masked(Answer(PAINTED, NOISE), recipe(soft), KEPT, cells())
    guided, unguided = denoise.both(PAINTED, sigma)
    assert torch.equal(guided, denoise(PAINTED, sigma))
    for answer, painted in ((guided, PAINTED), (unguided, NOISE)):
        assert torch.equal(answer[..., :8], painted[..., :8])
        assert torch.equal(answer[..., 8:], KEPT[..., 8:])


def test_at_the_end_the_kept_cells_are_the_sources_unless_pixels_decide() -> None:
    settled = settle(recipe(), KEPT, PAINTED, cells())
    assert torch.equal(settled[..., 8:], KEPT[..., 8:])
    assert torch.equal(settled[..., :8], PAINTED[..., :8])
    assert torch.equal(settle(recipe(SOFT), KEPT, PAINTED, cells()), PAINTED)


def weight(soft: SoftInpainting, sigma: float, mask: float = 0.5) -> float:
    """How much of the painted is in a mixed cell: kept and painted at right angles, both of
    length 1, tell it by the angle between."""
    kept, painted = torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)
    kept[0, 0], painted[0, 1] = 1, 1
    mixed = soft_blend(kept, painted, torch.full((1, 1, 1, 1), mask), sigma, soft)
    return float(mixed[0, 1] / (mixed[0, 0] + mixed[0, 1]))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0, 10.0])
def test_a_soft_cell_is_painted_by_a_power_of_its_mask(sigma: float) -> None:
    """mask ** (preservation strength * sigma ** schedule bias)."""
    soft = SoftInpainting(schedule_bias=0.7, preservation_strength=0.9)
    assert weight(soft, sigma, 0.6) == pytest.approx(0.6 ** (0.9 * sigma**0.7), rel=1e-5)


def test_the_source_is_preserved_in_noisy_steps_and_freed_in_the_last() -> None:
    shares = [weight(SOFT, sigma) for sigma in (14.6, 4.0, 1.0, 0.03)]
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] > 0.98


def test_a_preservation_of_0_keeps_only_what_is_not_masked_at_all() -> None:
    none = SoftInpainting(preservation_strength=0)
    assert weight(none, 5.0, mask=0.1) == 1
    assert weight(none, 5.0, mask=0.0) == 0


@pytest.mark.parametrize(("contrast", "length"), [(1.0, 2.0), (4.0, 41**0.25), (32.0, 2.94)])
def test_mixed_cells_keep_their_contrast(contrast: float, length: float) -> None:
    """Half of a vector of length 1 and half of one of length 3 at right angles to it: the mean
    has the length 1.6, the power means of 1 and 3 lie between 2 and 3."""
    kept, painted = torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)
    kept[0, 0], painted[0, 1] = 1, 3
    soft = SoftInpainting(preservation_strength=1, transition_contrast=contrast)
    mixed = soft_blend(kept, painted, torch.full((1, 1, 1, 1), 0.5), 1.0, soft)
    assert float(mixed.norm()) == pytest.approx(length, abs=0.01)


def test_plain_models_see_nothing_besides(pipeline: Pipeline) -> None:
    assert extra_channels(4, pipeline.components.vae, canvas(), recipe()) is None


def test_an_inpainting_model_sees_the_mask_and_the_picture_without_it(pipeline: Pipeline) -> None:
    vae = pipeline.components.vae
    extra = extra_channels(9, vae, canvas(), recipe())
    grey = picture()
    grey.paste((128, 128, 128), (0, 0, 64, 64))
    assert extra is not None
    assert extra.shape == (1, 5, 8, 16)
    assert torch.equal(extra[:, :1], cells())
    assert torch.equal(extra[:, 1:], encode(vae, grey))


def test_a_conditioning_strength_of_0_shows_the_whole_picture(pipeline: Pipeline) -> None:
    vae = pipeline.components.vae
    shown, half, hidden = (
        extra_channels(9, vae, canvas(), recipe(conditioning_strength=strength))
        for strength in (0.0, 0.5, 1.0)
    )
    assert shown is not None
    assert half is not None
    assert hidden is not None
    assert torch.equal(shown[:, 1:], encode(vae, picture()))
    assert not torch.equal(half, shown)
    assert not torch.equal(half, hidden)


@pytest.mark.parametrize("painted_on", [Canvas(), Canvas(source=picture())])
def test_without_a_mask_an_inpainting_model_sees_grey(
    pipeline: Pipeline, painted_on: Canvas
) -> None:
    vae = pipeline.components.vae
    extra = extra_channels(9, vae, painted_on, RECIPE)
    assert extra is not None
    assert (extra[:, 0] == 1).all()
    grey = Image.new("RGB", (RECIPE.width, RECIPE.height), (128, 128, 128))
    assert torch.equal(extra[:, 1:], encode(vae, grey))
