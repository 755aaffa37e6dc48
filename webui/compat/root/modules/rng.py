"""Noise of seeds, drawn as the engine draws it."""

from __future__ import annotations

from typing import Any

from modules import devices, shared
from webui.compat.missing import unprovided


def _source() -> Any:
    from webui.core.request import NoiseSource

    named = str(shared.opts.data.get("randn_source") or "CPU").lower()
    return NoiseSource(named) if named in tuple(NoiseSource) else NoiseSource.CPU


def _draw(seed: int) -> Any:
    from webui.engine.noise import draws

    return draws(_source(), int(seed) % 2**32, devices.device)


def randn(seed: int, shape: Any, generator: Any = None) -> Any:
    """The first noise of a seed."""
    return _draw(seed)(tuple(shape)).to(devices.device)


def randn_local(seed: int, shape: Any) -> Any:
    """As `randn`."""
    return randn(seed, shape)


def randn_like(x: Any) -> Any:
    """Noise of a tensor's shape, of no seed."""
    import torch

    return torch.randn_like(x)


def randn_without_seed(shape: Any, generator: Any = None) -> Any:
    """The next noise of a generator."""
    if callable(generator):
        return generator(tuple(shape)).to(devices.device)
    import torch

    return torch.randn(tuple(shape), generator=generator).to(devices.device)


def manual_seed(seed: int) -> None:
    """Seed torch's own generator."""
    import torch

    torch.manual_seed(int(seed))


def create_generator(seed: int) -> Any:
    """torch's generator on the CPU with this seed."""
    import torch

    return torch.Generator("cpu").manual_seed(int(seed))


def slerp(val: float, low: Any, high: Any) -> Any:
    """The noise so far on the way from one to the other, along a sphere."""
    from webui.engine.noise import slerp as between

    return between(float(val), low, high)


class ImageRNG:
    """The noise of a batch's pictures, each from a seed of its own."""

    def __init__(
        self,
        shape: Any,
        seeds: Any,
        subseeds: Any = None,
        subseed_strength: float = 0.0,
        seed_resize_from_h: int = 0,
        seed_resize_from_w: int = 0,
    ) -> None:
        self.shape = tuple(map(int, shape))
        self.seeds = seeds
        self.subseeds = subseeds
        self.subseed_strength = subseed_strength
        self.seed_resize_from_h = seed_resize_from_h
        self.seed_resize_from_w = seed_resize_from_w
        self.generators = [_draw(seed) for seed in seeds]
        self.is_first = True

    def first(self) -> Any:
        """What the pictures begin with."""
        return self._stacked([self._first(i) for i in range(len(self.seeds))])

    def next(self) -> Any:
        """The next noise; the first one at the first call."""
        if self.is_first:
            self.is_first = False
            return self.first()
        return self._stacked([draw(self.shape) for draw in self.generators])

    def _first(self, i: int) -> Any:
        from webui.engine.noise import paste_middle

        old = (self.shape[0], self.seed_resize_from_h // 8, self.seed_resize_from_w // 8)
        is_old = self.seed_resize_from_h > 0 and self.seed_resize_from_w > 0 and old != self.shape
        shape = old if is_old else self.shape
        noise = _draw(self.seeds[i])(shape) if is_old else self.generators[i](shape)
        if self.subseeds is not None and self.subseed_strength:
            seed = self.subseeds[i] if i < len(self.subseeds) else 0
            noise = slerp(self.subseed_strength, noise, _draw(seed)(shape))
        return paste_middle(self.generators[i](self.shape), noise) if is_old else noise

    def _stacked(self, drawn: list[Any]) -> Any:
        import torch

        return torch.stack(drawn).to(devices.device)


__getattr__ = unprovided(__name__)
