"""LoHa: the elementwise product of two low-rank matrices. Hyeon-Woo et al. 2021; Yeh et al. 2023.

Each factor is a @ b: (out, r) @ (r, in); or for convolutions, with a core t (r, r, kh, kw), the
Tucker decomposition, where a is (r, out) and b (r, in).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns, scale

if TYPE_CHECKING:
    from torch import Tensor


def size(parts: Parts) -> Size:
    """Told by the first factor."""
    a, b = parts["hada_w1_a"], parts["hada_w1_b"]
    if "hada_t1" in parts:
        return a.shape[1], b.shape[1] * parts["hada_t1"][0, 0].numel()
    return a.shape[0], columns(b)


def change(parts: Parts, weight: Tensor) -> Tensor:
    """scale * factor 1 * factor 2, in the weight's shape."""
    product = _factor(parts, 1) * _factor(parts, 2)
    return scale(parts, parts["hada_w1_b"].shape[0]) * product.reshape(weight.shape)


def _factor(parts: Parts, number: int) -> Tensor:
    import torch

    a, b = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"]
    if (core := parts.get(f"hada_t{number}")) is not None:
        return torch.einsum("abkl,ao,bi->oikl", core, a, b)
    return a @ b.flatten(1)


FORMAT: Final = Format(
    id="loha",
    label="LoHa",
    needs=(("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
    parts=frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"}),
    size=size,
    change=change,
)
