"""DPM fast and DPM adaptive: they take the range of noise levels and choose their own steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from webui.samplers.ancestral import ancestral_step, renoised
from webui.samplers.sampler import Denoise, Run, Sampler, Step

if TYPE_CHECKING:
    from torch import Tensor

RELATIVE: Final = 0.05
ABSOLUTE: Final = 0.0078
"""The error that an adaptive step may make: as part of a value, and at least."""
FIRST_LENGTH: Final = 0.05
"""Of the first adaptive step, in log sigma."""
ACCEPTED: Final = 0.81
"""A step is repeated when it should have been shorter than this part of itself."""
VISIBLE: Final = 0.05
"""Noise that a result may keep: the smallest level of Stable Diffusion is 0.03."""


class Slopes:
    """The network's answers (x - denoised) / sigma within one step. Levels are -log sigma."""

    def __init__(self, denoise: Denoise, x: Tensor, t: float) -> None:
        self._denoise = denoise
        self._known: dict[str, Tensor] = {}
        self.x, self.t = x, t
        self.first = self.at("start", x, t)

    @property
    def denoised(self) -> Tensor:
        """The guess at the start."""
        return self.x - self.first * math.exp(-self.t)

    def at(self, name: str, x: Tensor, t: float) -> Tensor:
        """The slope at a point; asked once for each name."""
        if name not in self._known:
            sigma = math.exp(-t)
            self._known[name] = (x - self._denoise(x, sigma)) / sigma
        return self._known[name]


def first_order(slopes: Slopes, end: float) -> Tensor:
    """Lu et al. 2022, "DPM-Solver": DPM-Solver-1 to level `end`."""
    return slopes.x - slopes.first * (math.exp(-end) * math.expm1(end - slopes.t))


def second_order(slopes: Slopes, end: float, part: float = 1 / 2) -> Tensor:
    """DPM-Solver-2, with its middle after `part` of the step."""
    length, sigma = end - slopes.t, math.exp(-end)
    change = _second(slopes, end, part) - slopes.first
    return first_order(slopes, end) - change * (sigma / (2 * part) * math.expm1(length))


def third_order(slopes: Slopes, end: float) -> Tensor:
    """DPM-Solver-3, with stages after one third and two thirds of the step."""
    length, sigma = end - slopes.t, math.exp(-end)
    change = _second(slopes, end, 1 / 3) - slopes.first
    later = slopes.t + length * 2 / 3
    x = first_order(slopes, later) - change * (2 * math.exp(-later) * _bend(length * 2 / 3))
    change = slopes.at("third", x, later) - slopes.first
    return first_order(slopes, end) - change * (sigma * 3 / 2 * _bend(length))


def _second(slopes: Slopes, end: float, part: float) -> Tensor:
    middle = slopes.t + (end - slopes.t) * part
    return slopes.at("second", first_order(slopes, middle), middle)


def _bend(length: float) -> float:
    return math.expm1(length) / length - 1


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A step of the solver: down to `down`, then noise of spread `up` to be at `end`."""

    end: float
    down: float
    up: float


def _leg(t: float, end: float, last: float, eta: float) -> Leg:
    if eta == 0:
        return Leg(end=end, down=end, up=0.0)
    sigma = math.exp(-end)
    level, _ = ancestral_step(math.exp(-t), sigma, eta)
    down = min(last, -math.log(level)) if level > 0 else last
    return Leg(end=end, down=down, up=math.sqrt(max(0.0, sigma**2 - math.exp(-2 * down))))


def sample_dpm_fast(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """Lu et al. 2022, "DPM-Solver", section 3.4: as many third-order steps as the number of calls
    allows, then smaller ones."""
    first, last = _range(run)
    orders = _orders(run.step_count) if first < last else ()
    t = first
    for i, order in enumerate(orders):
        end = first + (last - first) * (i + 1) / len(orders)
        leg = _leg(t, end, last, run.eta())
        slopes = Slopes(denoise, x, t)
        solve = {1: first_order, 2: second_order, 3: third_order}[order]
        x, t = renoised(solve(slopes, leg.down), leg.up, run), end
        is_last = i + 1 == len(orders)
        if not (is_last and _is_noisy(run)):
            yield Step(index=run.index(i + 1, len(orders)), x=x, denoised=slopes.denoised)
    yield from _finish(denoise, x, run)


def _orders(calls: int) -> Sequence[int]:
    full, rest = divmod(calls, 3)
    return (3,) * full + (rest,) if rest else (3,) * (full - 1) + (2, 1)


def sample_dpm_adaptive(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    """DPM-Solver-23: the difference of two orders decides how long the steps are."""
    t, last = _range(run)
    first, eta, length, before = t, run.eta(), FIRST_LENGTH, x
    while t < last - 1e-5:
        leg = _leg(t, min(last, t + length), last, eta)
        slopes = Slopes(denoise, x, t)
        low = second_order(slopes, leg.down, 1 / 3)
        high = third_order(slopes, leg.down)
        # Hairer, Norsett and Wanner: a step's error has one order more than the method's
        factor = (_error(low, high, before) + 1e-8) ** -(1 / (1.5 if eta else 3))
        factor = 1 + math.atan(factor - 1)
        length *= factor
        if factor < ACCEPTED:
            continue
        before, x, t = low, renoised(high, leg.up, run), leg.end
        if t < last - 1e-5 or not _is_noisy(run):
            done = min(1.0, (t - first) / (last - first) + 1e-9)
            index = max(0, int(run.step_count * done) - 1)
            yield Step(index=index, x=x, denoised=slopes.denoised)
    yield from _finish(denoise, x, run)


def _error(low: Tensor, high: Tensor, before: Tensor) -> float:
    """How far two guesses differ, in units of what is allowed."""
    larger = _larger(abs(low), abs(before)) * RELATIVE
    relative = (low - high) / _larger(larger, larger * 0 + ABSOLUTE)
    return math.sqrt(float((relative**2).mean()))


def _larger(a: Tensor, b: Tensor) -> Tensor:
    return (a + b + abs(a - b)) / 2


def _range(run: Run) -> tuple[float, float]:
    """The first and the last positive level, as -log sigma."""
    positive = [sigma for sigma in run.sigmas if sigma > 0] or [1.0]
    return -math.log(positive[0]), -math.log(positive[-1])


def _is_noisy(run: Run) -> bool:
    """Whether the last positive level needs a last step to 0: when it is also the first, or when
    a result would show its noise."""
    if run.sigmas[-1] > 0 or run.step_count == 0:
        return False
    return run.step_count == 1 or run.sigmas[-2] > VISIBLE


def _finish(denoise: Denoise, x: Tensor, run: Run) -> Iterator[Step]:
    if _is_noisy(run):
        denoised = denoise(x, run.sigmas[-2])
        yield Step(index=run.step_count - 1, x=denoised, denoised=denoised)


SAMPLER: Final = (
    Sampler(
        id="dpm_fast",
        label="DPM fast",
        place=13,
        aliases=("k_dpm_fast",),
        sample=sample_dpm_fast,
        default_eta=1.0,
        reads=("eta", "noise_factor"),
    ),
    Sampler(
        id="dpm_adaptive",
        label="DPM adaptive",
        place=14,
        aliases=("k_dpm_ad", "k_dpm_adaptive"),
        sample=sample_dpm_adaptive,
        default_eta=1.0,
        is_adaptive=True,
        reads=("eta", "noise_factor"),
    ),
)
