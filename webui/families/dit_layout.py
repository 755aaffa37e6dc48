"""How original files of transformer models name their tensors: what SD 3, Flux and Chroma share.

In those files q, k and v are one tensor, one above the other; diffusers has three. Names only.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from webui.families.weights import Piece

STARTS: Final = ("model.diffusion_model.", "diffusion_model.", "transformer.", "")
"""What may stand before the names of the network: in whole checkpoints, in files of it alone."""


def start_of(names: Container[str], marks: Iterable[str]) -> str | None:
    """What stands before the names of a network that has all tensors `marks`; None where no such
    network is."""
    wanted = tuple(marks)
    return next((start for start in STARTS if all(start + mark in names for mark in wanted)), None)


def renamed(key: str, table: Mapping[str, str]) -> str | None:
    """A key whose module the table names, with its file's name; None where it does not."""
    module, dot, parameter = key.rpartition(".")
    return f"{table[module]}{dot}{parameter}" if module in table else None


def rows(file_key: str, place: int, width: int, count: int = 1) -> Piece:
    """`count` times `width` rows of a fused tensor, after `place` times `width` others."""
    return Piece(file_key, start=place * width, stop=(place + count) * width)


def swapped(file_key: str) -> Piece:
    """Scale and shift in the other order: the original computes the shift first."""
    return Piece(file_key, swap_halves=True)
