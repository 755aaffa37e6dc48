"""All parts' weights on one device, and what they share: threads, pinned memory, the link's speed.

store = WeightStore(placement.device)
components = family.load(path, replace(placement, defer=store.defer))
store.of(components.diffusion_model).place(resident_bytes)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final
from weakref import WeakKeyDictionary, finalize

import torch
from torch import nn

from webui.engine.weights.carrier import Carrier
from webui.engine.weights.chunks import Grain
from webui.engine.weights.host import HostMemory
from webui.engine.weights.link import measure_link
from webui.engine.weights.order import KnownOrders
from webui.engine.weights.part import PartWeights
from webui.families.weight_table import Used, WeightTable

KEPT_BUILDS: Final = 12
KEPT_OF_A_BUILD: Final = 2
"""As many as a batch with a refiner or a second checkpoint uses at a time."""


class WeightStore:
    """Knows the weights of each part that was built for it, as long as the part lives."""

    def __init__(
        self,
        device: torch.device,
        threads: int | None = None,
        grain: Grain = Grain(),  # noqa: B008 - it is frozen
    ) -> None:
        self.device: Final = device
        self._grain: Final = grain
        self._orders: Final = KnownOrders()
        self.host: Final = HostMemory(device)
        self._carrier: Final = Carrier(device, self.host, threads, grain.block)
        self._parts: Final[WeakKeyDictionary[nn.Module, PartWeights]] = WeakKeyDictionary()
        self._endings: Final[WeakKeyDictionary[nn.Module, Any]] = WeakKeyDictionary()
        self._retired: Final[dict[str, list[nn.Module]]] = {}
        self._lent: Final[list[nn.Module]] = []

    @cached_property
    def link_bytes_per_s(self) -> float:
        """How fast weights come from pinned memory; measured at the first question."""
        return measure_link(self.device, self.host)

    def defer(self, model: nn.Module, table: WeightTable) -> None:
        """Take charge of a model that was built without weights: `Placement.defer`."""
        if model in self._parts:
            if self._parts[model].adopt(table):
                return
            self._parts[model].release()
        weights = PartWeights(
            model,
            table,
            carrier=self._carrier,
            host=self.host,
            grain=self._grain,
            orders=self._orders,
        )
        self._parts[model] = weights
        if model in self._endings:  # it is used again: nobody needs its former weights
            self._endings.pop(model).detach()
        # the pinned memory of a model that nobody holds any more serves the next one
        self._endings[model] = finalize(model, weights.release)
        self._endings[model].atexit = False

    def reuse(self, build: str) -> Used | None:
        """A model of this build that was retired: `Placement.reuse`."""
        models = self._retired.get(build)
        if not models:
            return None
        self._lent.append(models[-1])
        return Used(model=models[-1], table=self._parts[models.pop()].table)

    def retire(self, model: nn.Module) -> None:
        """Without its weights a model serves the next of its build. Until `vacate`, their memory
        stays for those of the next. Nobody may use it any more."""
        weights = self._parts[model]
        if not weights.build:
            weights.release()
            return
        weights.retire()
        models = [*self._retired.pop(weights.build, []), model]
        self._retired[weights.build] = models[-KEPT_OF_A_BUILD:]
        surplus = models[:-KEPT_OF_A_BUILD]
        while len(self._retired) > KEPT_BUILDS:
            surplus += self._retired.pop(next(iter(self._retired)))
        for each in surplus:
            self._parts[each].release()

    def reserving(self, room: float) -> Iterator[None]:
        """Take the memory of retired models, one after the other, where all of them take no more
        than so many bytes: the next ones have nothing left to do but to read. It stays until
        `vacate`. Raises torch.OutOfMemoryError."""
        parts = [self._parts[model] for models in self._retired.values() for model in models]
        if sum(part.total_bytes for part in parts) > room:
            return
        self._carrier.prepare()
        for part in parts:
            yield
            part.reserve()

    def vacate(self, *, has_failed: bool = False) -> None:
        """Take the memory of retired models that nobody came for; `has_failed`: of those too that
        were meant for a model that could not be built."""
        kept = [model for models in self._retired.values() for model in models]
        for model in (*kept, *(self._lent if has_failed else ())):
            self._parts[model].release()
        self._lent.clear()

    def of(self, model: nn.Module) -> PartWeights:
        """The weights of a part. Raises KeyError for one that was not built for this store."""
        return self._parts[model]

    @property
    def device_bytes(self) -> int:
        """What all parts take of the device now."""
        return sum(part.device_bytes for part in tuple(self._parts.values()))

    def release(self) -> None:
        """Give all memory back, pinned memory that waits for its next use included."""
        for part in tuple(self._parts.values()):
            part.release()
        self._retired.clear()
        self.host.release()
