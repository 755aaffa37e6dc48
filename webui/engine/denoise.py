"""The denoiser that samplers call: the UNet with guidance, as a guess of the clean latent."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from webui.engine.conditioning import Conditioning
from webui.families.components import Components, Prediction
from webui.samplers.sampler import Denoise
from webui.schedules.noise_levels import NoiseLevels


class Denoiser:
    """Guesses the clean latents of a batch, float32, (B, 4, H/8, W/8)."""

    def __init__(
        self,
        components: Components,
        levels: NoiseLevels,
        conditioning: Conditioning,
        guidance_scale: float,
    ) -> None:
        self._unet: Final = components.unet
        self._prediction: Final = components.prediction
        self._levels: Final = levels
        self._conditioning: Final = conditioning
        self._guidance_scale: Final = guidance_scale

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guided guess for `x`, whose noise has the spread `sigma`."""
        return self.both(x, sigma)[0]

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided guess, and the one without guidance; the same twice without a negative."""
        # the network saw pictures whose variance was 1 with their noise: Karras et al. 2022, C.1
        scaled = x / math.sqrt(sigma**2 + 1)
        timestep = torch.tensor(self._levels.timestep(sigma), dtype=torch.float32, device=x.device)
        guided, unguided = self._guided(scaled.to(self._unet.dtype), timestep)
        clean = self._clean(x, sigma, guided)
        return clean, clean if unguided is guided else self._clean(x, sigma, unguided)

    def _clean(self, x: Tensor, sigma: float, answer: Tensor) -> Tensor:
        if self._prediction is Prediction.VELOCITY:
            return x / (sigma**2 + 1) - answer * sigma / math.sqrt(sigma**2 + 1)
        return x - answer * sigma

    def _guided(self, scaled: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """The answer with guidance, and without."""
        count, given = len(scaled), self._conditioning
        positive = given.positive.expand(count, -1, -1)
        if given.negative is None:
            answer = self._ask(scaled, timestep, positive)
            return answer, answer
        texts = torch.cat([positive, given.negative.expand(count, -1, -1)])
        wanted, unwanted = self._ask(torch.cat([scaled, scaled]), timestep, texts).chunk(2)
        return unwanted + (wanted - unwanted) * self._guidance_scale, unwanted

    def _ask(self, scaled: Tensor, timestep: Tensor, texts: Tensor) -> Tensor:
        answer: Tensor = self._unet(scaled, timestep, texts, return_dict=False)[0]
        return answer.float()


def keep_outside(denoise: Denoise, kept: Tensor, mask: Tensor) -> Denoise:
    """A denoiser that leaves `kept` where `mask` is 0: as A1111 blends for inpainting."""

    return _Blended(denoise, kept, mask)


class _Blended:
    def __init__(self, denoise: Denoise, kept: Tensor, mask: Tensor) -> None:
        self._denoise, self._kept, self._mask = denoise, kept, mask

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return blend(self._kept, self._denoise(x, sigma), self._mask)

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        guided, unguided = self._denoise.both(x, sigma)
        return blend(self._kept, guided, self._mask), blend(self._kept, unguided, self._mask)


def blend(kept: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    """`painted` where `mask` is 1, `kept` where it is 0."""
    return kept * (1 - mask) + painted * mask
