"""All extensions of a studio: the one place that everything else asks.

Usable from any thread. What is given out are frozen views; hooks are called one by one and guarded,
so that what an extension raises ends nowhere but here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from webui.core.engine import UsedExtension
from webui.core.errors import NotFound
from webui.core.model import ModelInfo
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.extend.data import Words
from webui.extend.extension import Extension
from webui.extend.legacy import LegacyHost
from webui.extend.registered import Attachment, Axis, Preprocessor, Routes, Tab, TextToken


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders. `data` holds what is remembered of extensions and their own data."""

    shipped: Path
    folder: Path
    data: Path


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What keeps extensions off at this start. `only` and `off` hold ids."""

    is_safe_mode: bool = False
    only: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()


class Extensions:
    """The facade. Made by the Studio; `start` loads what is on."""

    def __init__(
        self,
        places: Places,
        safety: Safety | None = None,
        open_legacy: Callable[[], LegacyHost] | None = None,
    ) -> None:
        """`open_legacy` makes the host of A1111's scripts when the first of them is on."""
        self.places: Final = places
        self._watchers: list[Callable[[bool], None]] = []

    def start(self) -> None:
        """Find all and load those that are on."""

    def ready(self) -> None:
        """Tell them that the page is about to be served."""

    def close(self) -> None:
        """Tell them that the server ends, and let go of their code."""

    def on_change(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher(is_page)` after each change: `is_page` when the page has to be drawn
        anew. In the thread that made the change."""
        self._watchers.append(watcher)

    def all(self) -> tuple[Extension, ...]:
        """All that were found: those that are on in their order, then the others by name."""
        return ()

    def get(self, id: str) -> Extension:
        """One of them. Raises NotFound."""
        raise NotFound("extension", id)

    @property
    def legacy(self) -> LegacyHost | None:
        """A1111's scripts; None when no such extension is on."""
        return None

    def enable(self, id: str) -> Extension:
        """Switch one on; failures that were counted are forgotten. How it went is in the state
        and the error of what is given back. Raises NotFound."""
        return self.get(id)

    def disable(self, id: str) -> Extension:
        """Switch one off. Raises NotFound."""
        return self.get(id)

    def reload(self, id: str) -> Extension:
        """Read one's code anew. Raises NotFound."""
        return self.get(id)

    def scan(self) -> None:
        """Look into the folders again: new ones appear, those that are gone are dropped."""

    def settings(self, id: str) -> Mapping[str, Any]:
        """The values of one's own settings, defaults filled in. Raises NotFound."""
        return {}

    def set_settings(self, id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change some of them; all are given back. Raises NotFound, InvalidRequest."""
        return {}

    def call(self, id: str, hook: str, /, **arguments: Any) -> Any:
        """What one extension's hook gives back; None if it has none. `ctx` is added. Raises
        ExtensionFailed after the failure was booked."""
        return None

    def report(self, id: str, hook: str, error: str, seconds: float, job: str = "") -> None:
        """Book a call that ran elsewhere; `error` is its traceback, empty when all went well."""

    def edited_request(
        self, request: GenerationRequest, role: Role = Role.OWNER
    ) -> GenerationRequest:
        """The request after text tokens and `job_start`. Raises InvalidRequest: of a value that
        doesn't fit, or the reason of a StopJob."""
        return request

    def values(self, request: GenerationRequest) -> dict[str, dict[str, Any]]:
        """The full values of those that take part in a request: Recipe.extensions. Raises
        InvalidRequest for "extensions.<id>.<input>" and "script"."""
        return {}

    def edited_words(self, words: Words, values: Mapping[str, Mapping[str, Any]]) -> Words:
        """The prompts of one picture after the `prompt` hooks of those that take part."""
        return words

    def used_in_engine(self, recipe: Recipe) -> tuple[UsedExtension, ...]:
        """Those whose code the engine needs for this recipe: with hooks for it, or with the
        sampler, schedule, upscaler or family that it names."""
        return ()

    def tabs(self) -> tuple[tuple[str, Tab], ...]:
        """Tabs, each with the id of its extension; A1111's are with `legacy`."""
        return ()

    def attachments(self) -> tuple[tuple[str, Attachment], ...]:
        """What is drawn at parts of the page."""
        return ()

    def routers(self) -> tuple[tuple[str, Routes], ...]:
        """Routes, to be served below /ext/<id>/."""
        return ()

    def axes(self) -> tuple[tuple[str, Axis], ...]:
        """Axes that `xyz_axes` added; those of declared inputs are in `webui.plans`."""
        return ()

    def preprocessors(self) -> tuple[tuple[str, Preprocessor], ...]:
        """Makers of guiding pictures."""
        return ()

    def text_tokens(self) -> tuple[tuple[str, TextToken], ...]:
        """Tags in prompts."""
        return ()

    def model_changed(self, before: ModelInfo | None, now: ModelInfo | None) -> None:
        """Tell them that the engine holds another checkpoint; returns at once."""
