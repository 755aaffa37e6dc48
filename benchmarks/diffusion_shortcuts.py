"""What changes pictures for speed, for benchmarks/diffusion.py: matrices in 8 bits, step caches.

Each row has both sides in one process and tells how far off the short way's pictures are: the mean
difference of 0 to 255, and the peak signal-to-noise ratio in dB. The weights are random: how a
trained model takes it is for benchmarks/shortcuts.py to say.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from diffusion_gesso import compiled, graphed, paint, step_ms, work_of
from diffusion_measures import GIBIBYTE, PROMPT, Row, Told, error_of, free, seconds
from shortcuts import apart

from webui.core.engine import Work
from webui.core.request import StepCache
from webui.engine.device import multiplies_fp8
from webui.engine.fp8.conversion import InFp8
from webui.engine.fp8.layer import Fp8Linear
from webui.engine.graphs.runner import EagerRunner
from webui.engine.painter import Painter
from webui.engine.weights.store import WeightStore
from webui.families.components import Placement
from webui.samplers import load_samplers
from webui.schedules import load_schedules

CACHES = (StepCache(every=2), StepCache(every=3), StepCache(every=3, start=0.0), StepCache(every=5))


def rows(told: Told) -> Iterator[Row]:
    """Of one kind."""
    if told.kind == "caps":
        return
    if multiplies_fp8(told.device.placement.device) or told.is_tiny:
        yield Row(name=f"{told.kind}-fp8-unet", run=partial(_fp8_unet, told))
        yield Row(name=f"{told.kind}-fp8-b1", run=partial(_fp8_pictures, told))
    yield Row(name=f"{told.kind}-cache-b1", run=partial(_cached_pictures, told))


def _painter(told: Told, *, is_fp8: bool = False) -> Painter:
    return Painter(told.device, told.families, load_samplers(), load_schedules(), is_fp8=is_fp8)


def _fp8_unet(told: Told) -> Mapping[str, Any]:
    """One call of two rows, in 16 bits and in 8; with --compile compiled, too."""
    exact_network = told.load(told.kind).diffusion_model
    given = told.unet_arguments(told.kind, exact_network, 2)
    exact = EagerRunner(exact_network)(given, is_hooked=False)
    found = graphed(told, exact_network, given, "16_bits_ms_n2")
    del exact_network
    free()
    store = WeightStore(told.device.placement.device)
    placement = Placement(
        device=told.device.placement.device,
        dtype=told.device.placement.dtype,
        defer=InFp8(store.defer),
    )
    network = told.family(told.kind).load(told.checkpoint(told.kind), placement).diffusion_model
    weights = store.of(network)
    weights.place()
    answer = EagerRunner(network)(given, is_hooked=False)
    found |= {
        "fp8_layers": sum(isinstance(each, Fp8Linear) for each in network.modules()),
        "fp8_gib": weights.device_bytes / GIBIBYTE,
        "error": error_of(answer, exact),
        **graphed(told, network, given, "8_bits_ms_n2"),
    }
    for way in ("eager", "graph"):
        slow, fast = (found[f"{way}_{bits}_bits_ms_n2"] for bits in (16, 8))
        found[f"times_faster_{way}"] = slow / fast
    if told.has_compiler:
        found["compiled"] = dict(compiled(told, network, given, exact))
    weights.release()
    store.release()
    return found


def _fp8_pictures(told: Told) -> Mapping[str, Any]:
    """One painter after the other: both models at once would fill small GPUs."""
    work = work_of(told, told.kind, 1, prompt=PROMPT)
    sides = {}
    for is_fp8 in (False, True):
        painter = _painter(told, is_fp8=is_fp8)
        sides[is_fp8] = _timed(told, painter, work)
        painter.manager.release()
        del painter
        free()
    (slow, slow_step, exact, _), (fast, fast_step, picture, facts) = sides[False], sides[True]
    return {
        "s": fast,
        "s_16_bits": slow,
        "times_faster": slow / fast,
        "step_ms": fast_step,
        "step_ms_16_bits": slow_step,
        **apart(picture, exact),
        "facts": facts,
    }


def _timed(told: Told, painter: Painter, work: Work) -> tuple[float, float, Any, Any]:
    """Seconds of a picture, milliseconds of a step, the picture and its facts."""
    last: list[Any] = []

    def run() -> None:
        last[:] = paint(painter, work)

    figures = seconds(run, told.repeats, warm=2 if told.is_gpu else 1)
    pictures, marks, facts = last
    wanted = ("precision", "matrices", "attention", "speed")
    return figures["s"], step_ms(marks), pictures[0], {k: facts[k] for k in wanted if k in facts}


def _cached_pictures(told: Told) -> Mapping[str, Any]:
    """In turns: without a cache, then with each."""
    painter = _painter(told)
    ways: dict[str, StepCache | None] = {"off": None}
    ways |= {f"every_{each.every}_from_{each.start:g}": each for each in CACHES}
    steps = told.steps if told.is_gpu or told.is_tiny else max(told.steps, 10)
    works = {
        name: work_of(told, told.kind, 1, prompt=PROMPT, step_cache=cache, steps=steps)
        for name, cache in ways.items()
    }
    pictures: dict[str, Any] = {}

    def run(name: str) -> Callable[[], None]:
        return lambda: pictures.update({name: paint(painter, works[name])[0][0]})

    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(told.repeats):
        for name in ways:
            warm = 0 if times[name] else 2 if told.is_gpu else 1
            times[name].append(seconds(run(name), 1, warm=warm)["s"])
    painter.manager.release()
    off = statistics.median(times["off"])
    found: dict[str, Any] = {"steps": steps, "s": off}
    for name in ways.keys() - {"off"}:
        took = statistics.median(times[name])
        figures = {"times_faster": off / took, **apart(pictures[name], pictures["off"])}
        found.update({f"{name}_{key}": value for key, value in figures.items()})
    return dict(sorted(found.items()))
