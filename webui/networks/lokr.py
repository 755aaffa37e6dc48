"""LoKr: the Kronecker product of two matrices, each whole or low-rank. Yeh et al. 2023.

The first factor is small and flat; the second may be a convolution's, (out', in', kh, kw), or have
a core t2 (r, r, kh, kw) between its two parts (Tucker).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size, columns, scale

if TYPE_CHECKING:
    from torch import Tensor


def size(parts: Parts) -> Size:
    """The products of the factors' sizes."""
    rows, width = _first_size(parts)
    more_rows, more_columns = _second_size(parts)
    return rows * more_rows, width * more_columns


def change(parts: Parts, weight: Tensor) -> Tensor:
    """scale * kron(first, second), in the weight's shape."""
    import torch

    first, second = _first(parts), _second(parts)
    first = first.reshape(*first.shape, *[1] * (second.ndim - 2))
    product = torch.kron(first, second.contiguous())
    return _scale(parts) * product.reshape(weight.shape)


def _scale(parts: Parts) -> float:
    """Alpha counts only where a factor has a rank."""
    for name in ("lokr_w1_b", "lokr_w2_b"):
        if name in parts:
            return scale(parts, parts[name].shape[0])
    return float(parts["scale"]) if "scale" in parts else 1.0


def _first(parts: Parts) -> Tensor:
    if "lokr_w1" in parts:
        return parts["lokr_w1"]
    return parts["lokr_w1_a"] @ parts["lokr_w1_b"]


def _second(parts: Parts) -> Tensor:
    import torch

    if "lokr_w2" in parts:
        return parts["lokr_w2"]
    a, b = parts["lokr_w2_a"], parts["lokr_w2_b"]
    if "lokr_t2" in parts:
        return torch.einsum("abkl,ao,bi->oikl", parts["lokr_t2"], a, b)
    return a @ b.flatten(1)


def _first_size(parts: Parts) -> tuple[int, int]:
    if "lokr_w1" in parts:
        return parts["lokr_w1"].shape[0], columns(parts["lokr_w1"])
    return parts["lokr_w1_a"].shape[0], parts["lokr_w1_b"].shape[1]


def _second_size(parts: Parts) -> tuple[int, int]:
    if "lokr_w2" in parts:
        return parts["lokr_w2"].shape[0], columns(parts["lokr_w2"])
    a, b = parts["lokr_w2_a"], parts["lokr_w2_b"]
    if "lokr_t2" in parts:
        return a.shape[1], b.shape[1] * parts["lokr_t2"][0, 0].numel()
    return a.shape[0], columns(b)


FORMAT: Final = Format(
    id="lokr",
    label="LoKr",
    needs=(
        ("lokr_w1", "lokr_w2"),
        ("lokr_w1", "lokr_w2_a", "lokr_w2_b"),
        ("lokr_w1_a", "lokr_w1_b", "lokr_w2"),
        ("lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"),
    ),
    parts=frozenset(
        {
            *("lokr_w1", "lokr_w1_a", "lokr_w1_b"),
            *("lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
        }
    ),
    size=size,
    change=change,
)
