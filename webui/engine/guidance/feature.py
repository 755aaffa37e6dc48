"""What a guidance feature is: the doors through which it can take part in a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from webui.core.request import Guidance
from webui.engine.architectures.text import Text

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Ask = Callable[[Tensor, Sequence[Text]], list[Tensor]]
"""The network's guesses of the clean latents, each (B, C, h, w), from noisy ones at the noise
level of this call: one guess for each text."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When in a run a call happens. `call` counts from 0."""

    call: int
    calls_total: int
    sigma: float

    @property
    def progress(self) -> float:
        """0 at the first call, and below 1 at the last; a sampler that calls more often than it
        was expected to stays at the last."""
        return min(self.call, self.calls_total - 1) / self.calls_total


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the network made of one text, and the clean latents that it means: (B, 4, h, w)."""

    text: Text
    weight: float
    raw: Tensor
    clean: Tensor


@dataclass(frozen=True, kw_only=True)
class Round:
    """One call: what was asked and answered."""

    moment: Moment
    x: Tensor
    """The noisy latents, (B, 4, h, w)."""
    positives: tuple[Answer, ...]
    negative: Answer | None
    """None where this call is not guided away from anything."""
    scale: float
    ask: Ask
    clean: Callable[[Tensor], Tensor]
    """From what the network says to clean latents."""

    @property
    def base(self) -> Answer:
        """Where guidance starts from: the negative prompt, or else the first positive one."""
        return self.negative or self.positives[0]

    @property
    def unguided(self) -> Tensor:
        """What the positive prompts give at a scale of 1."""
        return self.guided(1.0)

    def guided(self, scale: float) -> Tensor:
        """base + sum of weight * scale * (positive - base).

        Without a negative prompt the scale does not count: one positive prompt is then the answer
        itself, and further ones pull away from the first, as A1111 has it.
        """
        # over the network's own answers, as it always was: the same in exact arithmetic, but
        # another order of sums would change the last bits of every picture there is
        base, factor = self.base.raw, 1.0 if self.negative is None else scale
        guess = base
        for answer in self.positives:
            if answer is not self.base:
                guess = guess + (answer.raw - base) * (answer.weight * factor)
        return self.clean(guess)


class Effect:
    """A feature at work in one run. Override what it needs; the rest does nothing."""

    def skips(self, moment: Moment) -> bool:
        """Whether the negative prompt is left out of this call."""
        return False

    def patch(self, moment: Moment) -> AbstractContextManager[None]:
        """Changes the network for all questions of this call, and changes it back."""
        return nullcontext()

    def watch(self) -> AbstractContextManager[None]:
        """Looks at the network while the prompts are answered, and at nothing else.

        It sees B rows for each positive prompt in their order, then B for the negative one, in
        one piece or in several.
        """
        return nullcontext()

    def apply(self, round: Round, guess: Tensor) -> Tensor:
        """The guess after this feature: something added to it, or a limit put on it."""
        return guess


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One file in guidance/. `order`: its place, see the package.

    `begin` gives None when the recipe does not use it. It raises InvalidRequest, with the field's
    name, when the network lacks what it needs.
    """

    id: str
    order: int
    begin: Callable[[Guidance, UNet2DConditionModel], Effect | None]


def changes_network(effect: Effect) -> bool:
    """Whether an effect goes into the network while the prompts are answered."""
    kind = type(effect)
    return kind.patch is not Effect.patch or kind.watch is not Effect.watch


def looks_on(effect: Effect) -> bool:
    """Whether an effect keeps what passes in the network while the prompts are answered."""
    return type(effect).watch is not Effect.watch


def each_picture(function: Callable[..., Tensor], *batches: Tensor) -> Tensor:
    """`function` of each picture's (1, ...) slice of the batches, put together again.

    Sums over many values round differently by how many pictures are summed at once; so they
    would make a picture depend on its batch.
    """
    pictures = range(len(batches[0]))
    return torch.cat([function(*(batch[i : i + 1] for batch in batches)) for i in pictures])
