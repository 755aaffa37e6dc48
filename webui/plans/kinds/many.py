"""Many pictures: one request over and over, each time with the next seeds, and a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Final

from annotated_types import Ge, Le

from webui.core.request import MAX_SEED, GenerationRequest
from webui.plans.kind import PAINTING, Independent, Kind, Probe, Sources, settle_seeds, with_seed


@dataclass(frozen=True, kw_only=True)
class ManyOptions:
    """How many pictures are wanted."""

    count: Annotated[int, Ge(1), Le(100_000)] = 100


class ManyLayout(Independent):
    """A cell is one batch; the last one is smaller when the number does not come out even."""

    def __init__(self, base: GenerationRequest, options: ManyOptions) -> None:
        self._base: Final = base
        self._pictures: Final = options.count
        self._batch: Final = base.batch_size
        self.count: Final = -(-options.count // self._batch)

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        begun = number * self._batch
        size = min(self._batch, self._pictures - begun)
        request = replace(self._base, batch_size=size, batch_count=1)
        noise = self._base.noise
        if not noise.variation_strength:
            return with_seed(request, begun)
        seed = ((noise.variation_seed or 0) + begun) % (MAX_SEED + 1)
        return replace(request, noise=replace(noise, variation_seed=seed))

    def probes(self) -> Iterator[Probe]:
        """Requests that are checked first."""
        yield Probe(field="count", words="Many pictures", request=self.request(0))


KIND: Final = Kind(
    id="many",
    label="Many pictures",
    modes=PAINTING,
    options=ManyOptions,
    settle=settle_seeds,
    lay_out=ManyLayout,
)
