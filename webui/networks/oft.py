"""OFT and BOFT: the outputs of a layer are rotated in blocks. Qiu et al. 2023, Liu et al. 2024.

Stored are the blocks of a matrix from which the Cayley transform makes rotations: with
Q = S - S^T, R = (I + Q) (I - Q)^-1. OFT has (blocks, b, b); BOFT, whose rotations follow each other
like the butterflies of a fast Fourier transform, has (factors, blocks, b, b). Files of the first
LyCORIS with OFT hold the rotations themselves, as `oft_diag`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from webui.networks.format import Format, Parts, Size

if TYPE_CHECKING:
    from torch import Tensor

STORED: Final = "oft_blocks"
ROTATIONS: Final = "oft_diag"
TINY: Final = 1e-8


def size(parts: Parts) -> Size:
    """All blocks side by side are as wide as the layer's output."""
    blocks = parts[STORED] if STORED in parts else parts[ROTATIONS]
    return blocks.shape[-3] * blocks.shape[-1], None


def change(parts: Parts, weight: Tensor) -> Tensor:
    """The rotated weight, rescaled where the file says so, less the weight."""
    rotations = _rotations(parts, weight.shape[0])
    turn = _turned if rotations.ndim == 3 else _turned_like_butterflies
    turned = turn(rotations, weight)
    if "rescale" in parts:
        turned = turned * parts["rescale"].reshape(-1, *[1] * (weight.ndim - 1))
    moved: Tensor = turned - weight
    return moved


def _rotations(parts: Parts, outputs: int) -> Tensor:
    import torch

    if ROTATIONS in parts:
        return parts[ROTATIONS]
    skew = parts[STORED] - parts[STORED].transpose(-1, -2)
    limit = float(parts["alpha"]) * outputs if "alpha" in parts else 0.0
    if limit > 0:  # here alpha bounds how far anything is turned
        norm = skew.norm()
        skew = skew * ((norm.clamp(max=limit) + TINY) / (norm + TINY))
    eye = torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device)
    rotations: Tensor = (eye + skew) @ torch.linalg.inv(eye - skew)
    return rotations


def _turned(rotations: Tensor, weight: Tensor) -> Tensor:
    """Each block of outputs by the transpose of its rotation."""
    import torch

    blocks, side, _ = rotations.shape
    rows = weight.reshape(blocks, side, -1)
    return torch.einsum("knm,knc->kmc", rotations, rows).reshape(weight.shape)


def _turned_like_butterflies(rotations: Tensor, weight: Tensor) -> Tensor:
    """In each factor a rotation mixes outputs that lie twice as far apart as in the one before."""
    factors, blocks, side, _ = rotations.shape
    rows = weight.flatten(1)
    for index in range(factors):
        stride = 2**index * (side // 2)
        # (groups, 2, stride) -> (groups, stride, 2): brings together what is mixed
        mixed = rows.reshape(-1, 2, stride, rows.shape[-1]).transpose(1, 2)
        turned = rotations[index] @ mixed.reshape(blocks, side, -1)
        apart = turned.reshape(-1, stride, 2, rows.shape[-1]).transpose(1, 2)
        rows = apart.reshape(rows.shape)
    return rows.reshape(weight.shape)


FORMAT: Final = Format(
    id="oft",
    label="OFT",
    needs=((STORED,), (ROTATIONS,)),
    parts=frozenset({STORED, ROTATIONS, "rescale"}),
    size=size,
    change=change,
)
