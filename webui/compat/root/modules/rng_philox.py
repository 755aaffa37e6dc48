"""NVIDIA's generator, computed anywhere."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


class Generator:
    """Noise of a seed, as numpy arrays."""

    def __init__(self, seed: int) -> None:
        from webui.engine.philox import PhiloxGenerator

        self._philox = PhiloxGenerator(int(seed))
        self.seed = seed

    def randn(self, shape: Any) -> Any:
        """The next noise."""
        return self._philox.normal(tuple(shape))


__getattr__ = unprovided(__name__)
