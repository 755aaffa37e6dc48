"""The hooks of prompts, noise and latents, around the walk of a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import torch
from PIL import Image
from torch import Tensor

from webui.core.recipe import Recipe
from webui.engine.architectures.text import Text
from webui.engine.extensions.calls import Calls, Hook
from webui.engine.extensions.steps import alike
from webui.extend.steps import Batch, Cond, Latents, NoiseDraw
from webui.samplers.sampler import Noise

EditText = Callable[[Text, str, bool], Text]
"""A prompt as the network takes it, its words, and whether it is the negative one -> another."""


def text_editor(calls: Calls) -> EditText | None:
    """What encoded prompts go through; None where nobody has a hook for it. Each is asked for once,
    however many steps it holds for."""
    if not calls.has("conditioning"):
        return None
    known: dict[tuple[str, bool], Text] = {}

    def edit(text: Text, words: str, is_negative: bool) -> Text:
        if (words, is_negative) not in known:
            cond = Cond(
                embeds=text.tokens, pooled=text.pooled, prompt=words, is_negative=is_negative
            )
            edited = calls.each("conditioning", cond, _ask_conditioning)
            known[words, is_negative] = Text(tokens=edited.embeds, pooled=edited.pooled)
        return known[words, is_negative]

    return edit


def first_batch(
    calls: Calls, x: Tensor, recipes: Sequence[Recipe], sigmas: Sequence[float]
) -> Tensor:
    """The latents that a pass begins with."""
    if not calls.has("batch_start"):
        return x
    batch = Batch(x=x, recipes=tuple(recipes), sigmas=tuple(sigmas))
    return calls.each("batch_start", batch, _ask_batch).x


def edited_latents(calls: Calls, hook: str, x: Tensor, recipes: Sequence[Recipe]) -> Tensor:
    """The latents between two passes ("hires_before") or behind the last ("latents_final")."""
    if not calls.has(hook):
        return x
    return calls.each(hook, Latents(x=x, recipes=tuple(recipes)), _ask_latents).x


def decoded_by(
    calls: Calls, latent: Tensor, recipe: Recipe, size: tuple[int, int] | None
) -> Image.Image | None:
    """The picture that the first extension with an answer makes of a latent (C, h, w); None where
    the VAE is to do it. `size`: that the picture must have, None for any."""
    if not calls.has("decode"):
        return None
    latents = Latents(x=latent[None], recipes=(recipe,))
    ask = partial(_ask_decode, latents, size)
    nothing: Image.Image | None = None
    return calls.each("decode", nothing, ask)


class HookedNoise:
    """The noise of a pass, as extensions want it; samplers' Noise, and that to begin with."""

    def __init__(
        self, noise: Noise, first: Callable[[], Tensor], calls: Calls, recipes: Sequence[Recipe]
    ) -> None:
        self._noise: Final = noise
        self._first: Final = first
        self._calls: Final = calls
        self._recipes: Final = tuple(recipes)
        self._draws = 0

    def first(self) -> Tensor:
        """What the pass begins with."""
        return self._edited(self._first())

    def __call__(self) -> Tensor:
        """As samplers' Noise."""
        return self._edited(self._noise())

    def between(self, sigma: float, next_sigma: float) -> Tensor:
        """As samplers' Noise."""
        return self._edited(self._noise.between(sigma, next_sigma))

    def _edited(self, noise: Tensor) -> Tensor:
        draw = NoiseDraw(noise=noise, recipes=self._recipes, index=self._draws)
        self._draws += 1
        return self._calls.each("noise", draw, _ask_noise).noise


def _ask_conditioning(call: Hook, cond: Cond) -> Cond:
    pooled = None if cond.pooled is None else cond.pooled.clone()
    changed = call(cond=replace(cond, embeds=cond.embeds.clone(), pooled=pooled))
    if changed is None:
        return cond
    embeds = changed.embeds
    if not isinstance(embeds, Tensor) or embeds.shape[::2] != cond.embeds.shape[::2]:
        raise ValueError(f"embeds have to be a tensor like (1, tokens, {cond.embeds.shape[2]})")
    if cond.pooled is not None:
        pooled = alike(changed.pooled, cond.pooled)
    return replace(cond, embeds=embeds.to(cond.embeds), pooled=pooled)


def _ask_batch(call: Hook, batch: Batch) -> Batch:
    changed = call(batch=replace(batch, x=batch.x.clone()))
    return batch if changed is None else replace(batch, x=alike(changed.x, batch.x))


def _ask_latents(call: Hook, latents: Latents) -> Latents:
    changed = call(latents=replace(latents, x=latents.x.clone()))
    if changed is None:
        return latents
    x = alike(changed.x, latents.x)
    if not bool(torch.isfinite(x).all()):
        raise ValueError("gave latents with values that are no numbers")
    return replace(latents, x=x)


def _ask_noise(call: Hook, draw: NoiseDraw) -> NoiseDraw:
    changed = call(noise=replace(draw, noise=draw.noise.clone()))
    return draw if changed is None else replace(draw, noise=alike(changed, draw.noise))


def _ask_decode(
    latents: Latents, size: tuple[int, int] | None, call: Hook, picture: Image.Image | None
) -> Image.Image | None:
    if picture is not None:
        return picture
    made = call(latents=replace(latents, x=latents.x.clone()))
    if made is not None and not isinstance(made, Image.Image):
        raise TypeError(f"gave a {type(made).__name__} instead of a picture (PIL.Image)")
    if made is not None and size is not None and made.size != size:
        raise ValueError(f"gave a picture of {made.size}, not of {size}")
    return None if made is None else made.convert("RGB")
