"""Which step cache a network gets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from webui.core.errors import InvalidRequest
from webui.core.request import StepCache
from webui.engine.caching.deep_features import DeepFeatures, Ways, has_deep_layers
from webui.engine.caching.first_block import FirstBlock, blocks_of
from webui.engine.caching.reuse import Reuse

FIELD: Final = "step_cache"


class Caches:
    """Makes step caches for the runs of one network, as long as that is in memory."""

    def __init__(self, network: Any) -> None:
        self._network: Final = network
        self._make: Callable[[StepCache], Reuse] | None = None

    def begin(self, given: StepCache | None) -> Reuse | None:
        """The cache of one run; None where none is asked for. Raises InvalidRequest for networks
        that nothing can be left out of."""
        if given is None:
            return None
        if self._make is None:
            self._make = self._maker()
        return self._make(given)

    def _maker(self) -> Callable[[StepCache], Reuse]:
        if has_deep_layers(self._network):
            return partial(_of_unet, Ways(self._network))
        if blocks := blocks_of(self._network):
            return partial(_of_transformer, blocks)
        raise InvalidRequest(
            FIELD,
            "This checkpoint's network is built in a way that leaves nothing for a step cache to "
            "skip. Switch the step cache off, or choose another checkpoint.",
        )


def _of_unet(ways: Ways, given: StepCache) -> Reuse:
    return DeepFeatures(given, ways)


def _of_transformer(blocks: Any, given: StepCache) -> Reuse:
    return FirstBlock(given, blocks)
