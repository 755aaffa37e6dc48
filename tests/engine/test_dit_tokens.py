"""Latents as tokens, beside the library's own packing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from webui.engine.architectures.text import Text

pytestmark = pytest.mark.torch


def words() -> Text:
    """A text of 4 tokens."""
    import torch

    from webui.engine.architectures.text import Text

    return Text(tokens=torch.zeros(1, 4, 8), pooled=torch.zeros(1, 8))


def random(*shape: int) -> Tensor:
    """The same numbers on every run."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(8, 12), (7, 9), (1, 2)])
def test_latents_come_back_from_tokens(height: int, width: int) -> None:
    import torch

    from webui.engine.architectures.tokens import even, packed, unpacked

    latents = random(2, 16, height, width)
    assert torch.equal(unpacked(packed(even(latents)), latents), latents)


def test_fill_is_shown_what_the_library_shows_it() -> None:
    """The noisy latents, those of the picture, and the mask's pixels."""
    import torch
    from diffusers import FluxFillPipeline
    from torch.nn.functional import pixel_unshuffle

    from tests.families.dit_models import make_flux
    from webui.engine.architectures.architecture import Frame
    from webui.engine.architectures.flux import arguments

    library = FluxFillPipeline(None, make_flux().vae, None, None, None, None, None)
    noisy, picture = random(1, 16, 8, 12), random(1, 16, 8, 12)
    mask = (random(1, 1, 64, 96) > 0).float()
    pixels, latents = library.prepare_mask_latents(
        mask, picture, 1, 16, 1, 64, 96, torch.float32, torch.device("cpu"), None
    )
    config = library.vae.config
    scaled = (picture - config.shift_factor) * config.scaling_factor
    seen = torch.cat([noisy, scaled, pixel_unshuffle(mask, 8)], dim=1)
    told = arguments(seen, torch.tensor(0.5), words(), Frame(width=96, height=64))
    wanted = [library._pack_latents(noisy, 1, 16, 8, 12), latents, pixels]
    assert torch.equal(told["hidden_states"], torch.cat(wanted, dim=2))


def test_a_reference_stands_behind_the_picture_as_the_library_puts_it() -> None:
    import torch
    from diffusers import FluxKontextPipeline

    from tests.families.dit_models import make_flux
    from webui.engine.architectures.architecture import Frame
    from webui.engine.architectures.flux import arguments

    library = FluxKontextPipeline(None, make_flux().vae, None, None, None, None, None)
    noisy, picture = random(1, 16, 8, 12), random(1, 16, 6, 10)
    device = torch.device("cpu")
    latents, reference, ids, reference_ids = library.prepare_latents(
        picture, 1, 16, 64, 96, torch.float32, device, None, None
    )
    frame = Frame(width=96, height=64, references=(picture,))
    told = arguments(noisy, torch.tensor(0.5), words(), frame)
    own = told["hidden_states"]
    assert torch.equal(own[:, latents.shape[1] :], reference)
    assert torch.equal(told["img_ids"], torch.cat([ids, reference_ids]))


def test_what_is_answered_for_a_reference_is_left_out() -> None:
    import torch

    from webui.engine.architectures.tokens import packed, unpacked

    latents, reference = random(1, 16, 8, 12), random(1, 16, 6, 10)
    answer = torch.cat([packed(latents), packed(reference)], dim=1)
    assert torch.equal(unpacked(answer, latents), latents)
