"""UniPC: predicts by the last guesses, then corrects by the guess at the end, at no extra call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from webui.samplers.multistep import weighted_sum
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

    from webui.schedules.schedule import Sigmas, Spacing


def unipc_levels(spacing: Spacing) -> Sigmas:
    """From the last timestep to timestep 0 in even steps; the last level is not 0."""
    levels, steps = spacing.levels, spacing.steps
    return tuple(levels.sigma(levels.last_timestep * (1 - i / steps)) for i in range(steps + 1))


def sample_unipc(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Zhao et al. 2023, algorithms 5 and 6, data prediction, B(h) = h, lower orders at the ends.

    A step to 0 takes the last guess.
    """
    sigmas, most = run.sigmas, run.parameters.order or 3
    guesses = [denoise(x, sigmas[0])] if run.step_count else []
    for i in range(run.step_count):
        sigma, next_sigma = sigmas[i], sigmas[i + 1]
        denoised = guesses[0]
        if next_sigma == 0:
            yield Step(index=i, x=denoised, denoised=denoised)
            return
        order = min(most, i + 1, run.step_count - i)
        length = math.log(sigma / next_sigma)
        parts = [math.log(sigma / sigmas[i - back]) / length for back in range(1, order)]
        changes = [
            (guess - denoised) / part for guess, part in zip(guesses[1:], parts, strict=False)
        ]
        plain = x * math.exp(-length) - denoised * math.expm1(-length)
        x = _bent(plain, length, _predictor(parts, length), changes)
        if i + 1 < run.step_count:
            guess = denoise(x, next_sigma)
            weights = _corrector(parts, length)
            x = _bent(plain, length, weights, [*changes, guess - denoised])
            guesses = [guess, *guesses][:most]
        yield Step(index=i, x=x, denoised=denoised)


def _bent(
    plain: Tensor, length: float, weights: Sequence[float], changes: Sequence[Tensor]
) -> Tensor:
    return plain + weighted_sum(weights, changes) * length if changes else plain


def _predictor(parts: Sequence[float], length: float) -> Sequence[float]:
    """The weights of the changes toward earlier guesses."""
    if len(parts) == 1:
        return (0.5,)
    return _solve(parts, length)


def _corrector(parts: Sequence[float], length: float) -> Sequence[float]:
    """The same with the change toward the guess at the end."""
    return _solve([*parts, 1.0], length) if parts else (0.5,)


def _solve(parts: Sequence[float], length: float) -> Sequence[float]:
    """The weights that make the step exact for polynomials: Zhao et al. 2023, eq. 9."""
    wanted, phi, factorial = [], math.expm1(-length) / -length - 1, 1.0
    for k in range(1, len(parts) + 1):
        wanted.append(phi * factorial / -length)
        factorial *= k + 1
        phi = phi / -length - 1 / factorial
    rows = [[part**k for part in parts] for k in range(len(parts))]
    return _gauss(rows, wanted)


def _gauss(rows: list[list[float]], wanted: list[float]) -> Sequence[float]:
    """The solution of a small system of linear equations."""
    count = len(wanted)
    table = [[*row, value] for row, value in zip(rows, wanted, strict=True)]
    for i in range(count):
        pivot = max(range(i, count), key=lambda j: abs(table[j][i]))
        table[i], table[pivot] = table[pivot], table[i]
        for j in range(count):
            if j != i:
                factor = table[j][i] / table[i][i]
                table[j] = [a - factor * b for a, b in zip(table[j], table[i], strict=True)]
    return [table[i][count] / table[i][i] for i in range(count)]


SAMPLER: Final = Sampler(
    id="unipc",
    label="UniPC",
    place=19,
    aliases=("uni_pc", "unipc bh1"),
    sample=sample_unipc,
    own_sigmas=unipc_levels,
    own_extra_steps=0,
    is_variance_preserving=True,
    reads=("order",),
)
