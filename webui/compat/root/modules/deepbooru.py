"""Tags for pictures: DeepDanbooru is not built in; using it says so."""

from __future__ import annotations

import re
from typing import Any

from webui.compat.missing import unprovided

re_special = re.compile(r"([\\()])")


class DeepDanbooru:
    """Would name tags of a picture."""

    def __init__(self) -> None:
        self.model: Any = None

    def load(self) -> None:
        """Not here."""
        raise NotImplementedError(
            "DeepDanbooru is not built in. Use an extension that brings a tagger of its own."
        )

    def start(self) -> None:
        """Not here."""
        self.load()

    def stop(self) -> None:
        """Nothing is loaded."""

    def tag(self, pil_image: Any) -> str:
        """Not here."""
        self.load()
        return ""

    def tag_multi(self, pil_image: Any, force_disable_ranks: bool = False) -> str:
        """Not here."""
        return self.tag(pil_image)


model = DeepDanbooru()

__getattr__ = unprovided(__name__)
