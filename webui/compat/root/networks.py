"""Names of A1111's built-in Lora extension: the catalog's LoRAs. The engine applies them itself."""

from __future__ import annotations

import os
from typing import Any

from modules import gesso_models
from modules.sd_models import read_metadata_from_safetensors

from webui.compat.missing import unprovided
from webui.core.model import ModelKind


class NetworkOnDisk:
    """A LoRA's file."""

    def __init__(self, name: str, filename: str) -> None:
        self.name, self.filename = name, filename
        self.is_safetensors = filename.lower().endswith(".safetensors")
        self._metadata: Any = None
        self.alias = name
        self.hash: str | None = None
        self.shorthash = ""
        self.sd_version = "Unknown"

    @property
    def metadata(self) -> dict[str, Any]:
        """What its maker wrote into it."""
        if self._metadata is None:
            self._metadata = read_metadata_from_safetensors(self.filename)
        return self._metadata  # type: ignore[no-any-return]

    def read_hash(self) -> None:
        """The catalog reads it."""

    def get_alias(self) -> str:
        """The name by which prompts call it."""
        return self.name


available_networks: dict[str, NetworkOnDisk] = {}
available_network_aliases: dict[str, NetworkOnDisk] = {}
available_network_hash_lookup: dict[str, NetworkOnDisk] = {}
forbidden_network_aliases: dict[str, int] = {}
loaded_networks: list[Any] = []
loaded_bundle_embeddings: list[Any] = []
networks_in_memory: dict[str, Any] = {}
lora_patches: Any = None
originals: Any = None
module_types: list[Any] = []


def list_available_networks() -> None:
    """Fill the lists with what the catalog has."""
    for known in (available_networks, available_network_aliases, available_network_hash_lookup):
        known.clear()
    for model in gesso_models.models(ModelKind.LORA):
        entry = NetworkOnDisk(model.name, str(model.path))
        entry.alias, entry.hash = model.alias or model.name, model.hash
        entry.shorthash = (model.hash or "")[:12]
        available_networks[entry.name] = entry
        available_network_aliases[entry.name] = entry
        available_network_aliases[entry.alias] = entry
        if entry.shorthash:
            available_network_hash_lookup[entry.shorthash] = entry


def load_networks(names: Any, *weights: Any, **named: Any) -> None:
    """Not here."""
    raise NotImplementedError(
        "LoRAs are applied by the engine: put <lora:name:weight> into the prompt."
    )


def assign_network_names_to_compvis_modules(sd_model: Any) -> None:
    """The engine finds layers by itself."""


def find_available_network(name: str) -> NetworkOnDisk | None:
    """The LoRA of a name. Not a name of A1111's."""
    return available_network_aliases.get(os.path.splitext(name)[0])


list_available_networks()
__getattr__ = unprovided(__name__)
