"""What the extensions that are on add to the studio, each with the id of its extension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from webui.core.errors import InvalidRequest
from webui.core.model import ModelFamily
from webui.core.request import GenerationRequest
from webui.extend.calls import Calls
from webui.extend.loaded import Loaded
from webui.extend.registered import Attachment, Axis, Preprocessor, Routes, Tab, TextToken
from webui.extend.running import Running
from webui.samplers.sampler import Sampler
from webui.schedules.schedule import Schedule
from webui.upscalers import Upscaler

T = TypeVar("T")


class Additions:
    """A part of Extensions. Usable from any thread."""

    def __init__(self, running: Running) -> None:
        self._running: Final = running

    def tabs(self) -> tuple[tuple[str, Tab], ...]:
        """Tabs, each with the id of its extension; A1111's are with `legacy`."""
        return self._registered("register_tabs")

    def attachments(self) -> tuple[tuple[str, Attachment], ...]:
        """What is drawn at parts of the page."""
        return self._registered("ui_attach")

    def routers(self) -> tuple[tuple[str, Routes], ...]:
        """Routes, to be served below /ext/<id>/."""
        return self._registered("api_routes")

    def axes(self) -> tuple[tuple[str, Axis], ...]:
        """Axes that `xyz_axes` added; those of declared inputs are in `webui.plans`. What their
        functions raise is booked, and InvalidRequest."""
        return tuple(
            (id, guarded_axis(axis, self._running.on[id], self._running.calls))
            for id, axis in self._registered("xyz_axes")
        )

    def preprocessors(self) -> tuple[tuple[str, Preprocessor], ...]:
        """Makers of guiding pictures."""
        return self._registered("register_preprocessors")

    def text_tokens(self) -> tuple[tuple[str, TextToken], ...]:
        """Tags in prompts."""
        return self._registered("register_text_tokens")

    def samplers(self) -> tuple[tuple[str, Sampler], ...]:
        """Samplers beside the built-in ones."""
        return self._registered("register_samplers")

    def schedules(self) -> tuple[tuple[str, Schedule], ...]:
        """Schedules beside the built-in ones."""
        return self._registered("register_schedules")

    def upscalers(self) -> tuple[tuple[str, Upscaler], ...]:
        """Upscalers beside the built-in ones."""
        return self._registered("register_upscalers")

    def families(self) -> tuple[tuple[str, ModelFamily], ...]:
        """Model families beside the built-in ones."""
        return self._registered("register_families")

    def _registered(self, hook: str) -> tuple[tuple[str, Any], ...]:
        return tuple(
            (id, part)
            for id, loaded in self._running.on.items()
            for part in loaded.registered.get(hook, ())
        )


def guarded_axis(axis: Axis, loaded: Loaded, calls: Calls) -> Axis:
    """The axis, with functions that raise nothing but InvalidRequest."""

    def guarded(run: Callable[[], T]) -> T:
        outcome = calls.guarded(loaded, "xyz_axes", run, passing=(InvalidRequest,))
        if outcome.failure is not None:
            raise InvalidRequest(
                "values",
                f"The axis “{axis.label}” of “{loaded.name}” failed: {outcome.failure.message}.",
            )
        value: T = outcome.value
        return value

    def apply(request: GenerationRequest, value: Any) -> GenerationRequest:
        return guarded(lambda: axis.apply(request, value))

    return replace(axis, apply=apply, read=lambda text: guarded(lambda: axis.read(text)))
