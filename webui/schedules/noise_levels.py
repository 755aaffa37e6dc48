"""The noise levels that a model was trained on, and the way between them and its timesteps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from operator import mul


class NoiseLevels:
    """sigma of each training timestep; between them log sigma is linear. Plain float64.

    sigma is the noise's spread over the picture's: sqrt((1 - a) / a), a = cumulated 1 - beta.
    """

    def __init__(self, betas: Iterable[float]) -> None:
        """`betas`: the noise added at each timestep of the training, as variance."""
        alphas = accumulate((1 - beta for beta in betas), mul)
        self._log_sigmas = tuple(math.log((1 - alpha) / alpha) / 2 for alpha in alphas)

    @property
    def smallest(self) -> float:
        """sigma of timestep 0."""
        return math.exp(self._log_sigmas[0])

    @property
    def largest(self) -> float:
        """sigma of the last timestep: what a picture starts from."""
        return math.exp(self._log_sigmas[-1])

    @property
    def last_timestep(self) -> int:
        """The timestep of the largest sigma."""
        return len(self._log_sigmas) - 1

    def sigma(self, timestep: float) -> float:
        """The noise level of a timestep, whole or between two."""
        low = min(int(timestep), self.last_timestep - 1)
        part = timestep - low
        return math.exp(self._log_sigmas[low] * (1 - part) + self._log_sigmas[low + 1] * part)

    def timestep(self, sigma: float) -> float:
        """The timestep of a noise level; levels outside the trained ones take the nearest."""
        wanted = math.log(sigma)
        low = bisect_right(self._log_sigmas, wanted) - 1
        low = min(max(low, 0), self.last_timestep - 1)
        below, above = self._log_sigmas[low], self._log_sigmas[low + 1]
        return low + min(max((wanted - below) / (above - below), 0.0), 1.0)
