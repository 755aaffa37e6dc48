"""Latents as a row of tokens, each of 2 x 2 cells, and back."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

SIDE: Final = 2
"""Cells along one side of a token."""


def even(latents: Tensor) -> Tensor:
    """Latents (B, C, h, w) with sides that tokens fill: the last row and column twice where they
    are odd."""
    height, width = latents.shape[-2:]
    missing = (0, width % SIDE, 0, height % SIDE)
    return pad(latents, missing, mode="replicate") if any(missing) else latents


def packed(latents: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, n, 4 C), line by line; even sides only. Channels stay together, so those
    behind one another are packed as if each were packed alone."""
    batch, channels, height, width = latents.shape
    cells = latents.view(batch, channels, height // SIDE, SIDE, width // SIDE, SIDE)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * SIDE**2)


def unpacked(tokens: Tensor, like: Tensor) -> Tensor:
    """The first of these tokens as latents of the height and width of `like`."""
    height, width = like.shape[-2:]
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    cells = tokens[:, : rows * columns].reshape(len(tokens), rows, columns, -1, SIDE, SIDE)
    latents = cells.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    return latents[..., :height, :width]


def places(latents: Tensor, picture: int = 0) -> Tensor:
    """(n, 3): of each token of even latents the number of its picture, its line and its column."""
    rows, columns = latents.shape[-2] // SIDE, latents.shape[-1] // SIDE
    grid = torch.zeros(rows, columns, 3, device=latents.device)
    grid[..., 0] = picture
    grid[..., 1] = torch.arange(rows, device=latents.device)[:, None]
    grid[..., 2] = torch.arange(columns, device=latents.device)
    return grid.flatten(0, 1)
