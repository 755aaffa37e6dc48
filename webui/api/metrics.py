"""Figures about the server for Prometheus, in its text format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from webui import __version__
from webui.core.engine import EngineState
from webui.gallery.room import free_bytes
from webui.studio import Studio

Figures = dict[tuple[str, ...], float]
"""By the values of its labels."""
STATES: Final = tuple(state.value for state in EngineState)


def metrics_text(studio: Studio) -> bytes:
    """All figures as they are now. Reads the disk: not for the loop."""
    registry = CollectorRegistry()
    registry.register(_StudioFigures(studio))
    for kind in (ProcessCollector, PlatformCollector, GCCollector):
        kind(registry=registry)
    return bytes(generate_latest(registry))


class _StudioFigures(Collector):
    """What is the studio's own. Nothing here names a person or tells what they make."""

    def __init__(self, studio: Studio) -> None:
        self._studio: Final = studio

    def collect(self) -> Iterator[Metric]:
        """One family of figures after the other."""
        yield _gauge("gesso_info", "Which Gesso this is.", ("version",), {(__version__,): 1})
        jobs: Figures = {(state.value,): n for state, n in self._studio.jobs.counts().items()}
        yield _gauge("gesso_jobs", "Jobs in the list, by state.", ("state",), jobs)
        yield self._engines()
        is_held = bool(self._studio.dispatcher.waiting())
        yield _gauge("gesso_queue_held", "1 while the queue can't go on.", (), {(): is_held})
        free = free_bytes(self._studio.settings.current.outputs)
        yield _gauge("gesso_disk_free_bytes", "Room on the disk of the pictures.", (), {(): free})
        people = len(self._studio.people.roster.all())
        yield _gauge("gesso_people", "People who have an account.", (), {(): people})

    def _engines(self) -> Metric:
        """One series for each engine and state, 1 where it is in it."""
        found: Figures = {
            (status.id, state): status.state.value == state
            for status in self._studio.statuses()
            for state in STATES
        }
        return _gauge("gesso_engine", "What each engine is doing.", ("engine", "state"), found)


def _gauge(name: str, help: str, labels: tuple[str, ...], values: Figures) -> Metric:
    gauge = GaugeMetricFamily(name, help, labels=labels)
    for key, value in values.items():
        gauge.add_metric(key, float(value))
    return gauge
