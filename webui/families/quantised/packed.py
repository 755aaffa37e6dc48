"""Quantised weights as they lie in files, and the way from there into the layers of a model.

torch is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from webui.families.quantised.layers import BUFFER, WEIGHT, keep
from webui.families.quantised.quantised import Form, Shape
from webui.families.stored import Stored
from webui.families.weight_table import Weight, element_type

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A quantised weight in a file. `swapped`: the parts whose halves are to be swapped."""

    form: Form
    parts: Mapping[str, Stored]
    swapped: frozenset[str] = frozenset()

    @property
    def cast(self) -> Stored | None:
        """The tensor in the file, where a cast alone gives its true values."""
        return next(iter(self.parts.values())) if self.form.scheme.is_cast else None

    def piece(self, start: int | None, stop: int | None, *, swap_halves: bool) -> Packed | None:
        """Rows `start` to `stop`, with their halves swapped. None where the scheme can't tell them
        apart: then take them of the true values."""
        first, last, _ = slice(start, stop).indices(self.form.shape[0])
        if (first, last) == (0, self.form.shape[0]) and not swap_halves:
            return self
        middle = [(first + last) // 2] if swap_halves else []
        spans = [
            self.form.scheme.rows(self.form, *edges) for edges in pairwise((first, *middle, last))
        ]
        known = [span for span in spans if span is not None and _are_alike(span, spans[0])]
        if len(known) != len(spans):
            return None
        cut = {part: (known[0][part][0], known[-1][part][1]) for part in known[0]}
        parts = {
            part: stored.rows(*cut.get(part, (None, None))) for part, stored in self.parts.items()
        }
        form = replace(self.form, shape=(last - first, *self.form.shape[1:]))
        return Packed(form=form, parts=parts, swapped=frozenset(cut if swap_halves else ()))

    def seen_as(self, shape: Shape) -> Packed:
        """The same values in another shape."""
        return replace(self, form=replace(self.form, shape=shape))


def keep_packed(model: nn.Module, key: str, packed: Packed, dtype: torch.dtype) -> list[Weight]:
    """The weights that the parts become in the layer to which `key` belongs, which from now on
    runs on them in `dtype`. Empty, and nothing done, where no layer can."""
    import torch

    types = {part: element_type(stored) for part, stored in packed.parts.items()}
    empty = {
        part: torch.empty(stored.shape, dtype=types[part], device="meta")
        for part, stored in packed.parts.items()
    }
    if not keep(model, key, packed.form, empty, dtype):
        return []
    return [
        Weight(
            keys=(f"{key.removesuffix(WEIGHT)}.{BUFFER}{part}",),
            shape=stored.shape,
            dtype=types[part],
            source=stored,
            swap_halves=part in packed.swapped,
        )
        for part, stored in packed.parts.items()
    ]


def _are_alike(
    span: Mapping[str, tuple[int, int]], first: Mapping[str, tuple[int, int]] | None
) -> bool:
    """Whether two halves are of one size in every part, as swapping them takes for granted."""
    return first is not None and all(
        stop - start == first[part][1] - first[part][0] for part, (start, stop) in span.items()
    )
