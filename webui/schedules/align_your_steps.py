"""Schedules that were optimised for Stable Diffusion 1.5 and for SDXL, as published tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from webui.schedules.schedule import Schedule, Sigmas, Spacing

Tables = Mapping[str, Sequence[float]]
"""Noise levels by family; those of "sd15" serve families that have none."""

AYS: Final[Tables] = MappingProxyType(
    {
        "sd15": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
        "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    }
)
"""Sabour et al. 2024, "Align Your Steps", table 3."""

GITS: Final[Tables] = MappingProxyType(
    {
        "sd15": (14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029),
        "sdxl": (14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029),
    }
)
"""By the search of Chen et al. 2024, "On the Trajectory Regularity of ODE-based Diffusion
Sampling", as Forge publishes it."""

# fmt: off
AYS_32: Final[Tables] = MappingProxyType({
    "sd15": (
        14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065,
        3.5195609, 3.13490466, 2.79228788, 2.48773628, 2.21663865, 1.97508351, 1.7793172,
        1.61475335, 1.46540953, 1.314849, 1.16642497, 1.03475547, 0.91573744, 0.80748169,
        0.71202361, 0.621739, 0.53065202, 0.4529096, 0.37491455, 0.27461819, 0.2011529,
        0.14105873, 0.06682881, 0.03166121, 0.015,
    ),
    "sdxl": (
        14.615, 11.1491618, 8.50522127, 6.48827151, 5.43707402, 4.60398619, 3.89854704,
        3.27407457, 2.74396527, 2.29968659, 1.95448514, 1.67108715, 1.42878152, 1.23181009,
        1.06789649, 0.92579443, 0.80290886, 0.69660121, 0.60436903, 0.52852552, 0.46773344,
        0.41393379, 0.36258186, 0.31008517, 0.26518925, 0.22326461, 0.17653877, 0.13959192,
        0.10587381, 0.05519369, 0.02877334, 0.015,
    ),
})
# fmt: on
"""The same in 32 levels, as Forge publishes them."""


def from_tables(tables: Tables) -> Callable[[Spacing], Sigmas]:
    """A schedule that reads its family's table, log sigma linear between its entries, then 0."""

    def sigmas(spacing: Spacing) -> Sigmas:
        table = tables.get(spacing.family, tables["sd15"])
        last = len(table) - 1
        # the first level is the table's own even where there is only one step
        ways = (i / max(spacing.steps - 1, 1) * last for i in range(spacing.steps))
        return (*(_between(table, way) for way in ways), 0.0)

    return sigmas


def _between(table: Sequence[float], way: float) -> float:
    low = min(int(way), len(table) - 2)
    part = way - low
    return math.exp(math.log(table[low]) * (1 - part) + math.log(table[low + 1]) * part)


SCHEDULE: Final = (
    Schedule(
        id="align_your_steps",
        label="Align Your Steps",
        place=8,
        aliases=("AYS",),
        sigmas=from_tables(AYS),
    ),
    Schedule(
        id="align_your_steps_gits",
        label="Align Your Steps GITS",
        place=14,
        aliases=("AYS GITS",),
        sigmas=from_tables(GITS),
    ),
    Schedule(
        id="align_your_steps_11",
        label="Align Your Steps 11",
        place=15,
        aliases=("AYS 11",),
        sigmas=from_tables(AYS),
    ),
    Schedule(
        id="align_your_steps_32",
        label="Align Your Steps 32",
        place=16,
        aliases=("AYS 32",),
        sigmas=from_tables(AYS_32),
    ),
)
