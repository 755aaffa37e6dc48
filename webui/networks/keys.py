"""How tensors are named in network files: <module><ending>. Names only, nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MARKS: Final = (
    ".lora_down.weight",
    ".lora_up.weight",
    ".lora.down.weight",
    "_lora.down.weight",
    ".lora_linear_layer.down.weight",
    ".lora_A.weight",
    ".lora_A.default.weight",
    ".hada_w1_a",
    ".lokr_w1",
    ".lokr_w1_a",
    ".on_input",
    ".diff",
    ".diff_b",
    ".w_norm",
    ".b_norm",
    ".oft_blocks",
    ".oft_diag",
    ".a1.weight",
    ".dora_scale",
)
"""Endings that only tensors of networks have."""


def is_network(keys: Iterable[str]) -> bool:
    """Whether these are the names of a network's tensors."""
    return any(key.endswith(MARKS) for key in keys)
