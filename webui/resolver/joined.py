"""Keeps the tables of a studio in step with its extensions, which come and go while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from webui.core.engine import EngineStatus
from webui.core.events import EngineChanged, Message
from webui.core.model import ModelInfo, ModelKind
from webui.core.registry import Registry
from webui.extend.extensions import Extensions
from webui.families import Families, LoadableFamily
from webui.samplers import Samplers
from webui.schedules import Schedules
from webui.upscalers import Upscalers


@dataclass(frozen=True, kw_only=True)
class Joined:
    """`refresh` looks through the models again, when families came or went."""

    extensions: Extensions
    samplers: Samplers
    schedules: Schedules
    upscalers: Upscalers
    families: Families
    refresh: Callable[[], object]

    def update(self, is_page: bool) -> None:
        """Have in the tables what the extensions that are on add; nothing when they stayed."""
        if not is_page:
            return
        added = self.extensions
        self._join("register_samplers", self.samplers, added.samplers())
        self._join("register_schedules", self.schedules, added.schedules())
        self._join("register_upscalers", self.upscalers, added.upscalers())
        before = [family.id for family in self.families]
        families = ((id, cast("LoadableFamily", family)) for id, family in added.families())
        self._join("register_families", self.families, families)
        if before != [family.id for family in self.families]:
            self.refresh()

    def _join(self, hook: str, table: Registry[Any], added: Iterable[tuple[str, Any]]) -> None:
        parts = [*added]
        refused = table.join(part for _, part in parts)
        for id, part in parts:
            if any(part is other for other in refused):
                error = f"The id “{part.id}” is taken already. Choose another."
                self.extensions.report(id, hook, error, 0.0)


class HeldModel:
    """Tells extensions when an engine holds another checkpoint. Usable from any thread."""

    def __init__(
        self,
        extensions: Extensions,
        statuses: Callable[[], Iterable[EngineStatus]],
        find: Callable[[ModelKind, str], ModelInfo | None],
    ) -> None:
        self._extensions: Final = extensions
        self._statuses: Final = statuses
        self._find: Final = find
        self._held: Final[dict[str, str]] = {}

    def hear(self, message: Message) -> None:
        """Compare what engines hold with what they held, when one changed; returns at once."""
        if not isinstance(message.event, EngineChanged):
            return
        for status in self._statuses():
            before = self._held.get(status.id, "")
            if status.model != before:
                self._held[status.id] = status.model
                self._extensions.model_changed(self._info(before), self._info(status.model))

    def _info(self, id: str) -> ModelInfo | None:
        return self._find(ModelKind.CHECKPOINT, id) if id else None
