"""The tag of A1111's built-in Lora extension: the engine acts on it."""

from __future__ import annotations

from typing import Any

from modules import extra_networks

from webui.compat.missing import unprovided


class ExtraNetworkLora(extra_networks.ExtraNetwork):
    """<lora:name:weight>."""

    def __init__(self) -> None:
        super().__init__("lora")
        self.errors: dict[str, Any] = {}

    def activate(self, p: Any, params_list: Any) -> None:
        """The engine does it."""

    def deactivate(self, p: Any) -> None:
        """The engine does it."""


__getattr__ = unprovided(__name__)
