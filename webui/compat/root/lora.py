"""Older names of A1111's built-in Lora extension."""

from __future__ import annotations

import networks

from webui.compat.missing import unprovided

list_available_loras = networks.list_available_networks
available_loras = networks.available_networks
available_lora_aliases = networks.available_network_aliases
available_lora_hash_lookup = networks.available_network_hash_lookup
forbidden_lora_aliases = networks.forbidden_network_aliases
loaded_loras = networks.loaded_networks
lora_in_memory = networks.networks_in_memory

__getattr__ = unprovided(__name__)
