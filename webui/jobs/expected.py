"""Which model is likely to be wanted next, as the engines are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from webui.core.errors import NotFound
from webui.core.model import ModelInfo


class Expected:
    """Tells of each model once. Usable from any thread."""

    def __init__(
        self, likely: Callable[[], ModelInfo], expect: Callable[[ModelInfo], None]
    ) -> None:
        """`likely` gives the model that requests use which name none, or raises NotFound; `expect`
        tells the engines."""
        self._likely: Final = likely
        self._expect: Final = expect
        self._turn: Final = threading.Lock()
        self._told: ModelInfo | None = None

    def tell(self, *_: object) -> None:
        """What is likely may be another model now."""
        with self._turn:
            try:
                model = replace(self._likely(), hash=None)  # it is the same with its hash
            except NotFound:
                return
            if model != self._told:
                self._told = model
                self._expect(model)
