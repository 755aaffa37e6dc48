"""Networks for layers that are fused in original files: each layer here gets its rows of them.

kohya's trainer and others train Flux's q, k and v as the one layer that they are in original files;
the library has three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from torch import Tensor

from webui.engine.network_layers import Layers, Share
from webui.families.weights import Piece
from webui.networks import dora, lora
from webui.networks.format import Format, Parts, Size
from webui.networks.keys import Place, flat_name
from webui.networks.network import BIASES, Layer, Network

INDEPENDENT: Final = frozenset({"lora", "loha", "lokr", "full"})
"""Types whose change does not depend on the weight, of which the rest is in other layers."""


def spread(network: Network, layers: Layers) -> Network:
    """The network with a layer for each that a fused one is here; those that can't be cut stay as
    they are, and then have no place."""
    found: dict[Place, Layer] = {}
    for place, layer in network.layers.items():
        shares = layers.fused.get(place)
        cut = None if shares is None else _cut(layer, shares)
        found |= {place: layer} if cut is None else cut
    return replace(network, layers=found)


def _cut(layer: Layer, shares: Sequence[Share]) -> Mapping[Place, Layer] | None:
    if layer.format is not None and layer.format.id not in INDEPENDENT:
        return None
    shares = [share for share in shares if _has_rows(layer, share.piece)]
    whole = max((share.piece.stop or 0 for share in shares), default=0)
    if dora.PART in layer.parts and layer.parts[dora.PART].shape[0] != whole:
        return None  # lengths of columns, of which the rest is in other layers
    return {
        Place(share.target.part, flat_name(share.target.part, share.target.name)): _rows(
            layer, share.piece, whole
        )
        for share in shares
    }


def _has_rows(layer: Layer, piece: Piece) -> bool:
    """Whether a network reaches so far: XLabs' changes q, k and v of Flux's single blocks, and not
    the rows below them."""
    up = layer.parts.get(lora.UP) if layer.format is lora.FORMAT else None
    return up is None or up.ndim == 0 or (piece.start or 0) < len(up)


def _rows(layer: Layer, piece: Piece, whole: int) -> Layer:
    cut: dict[str, Tensor] = {
        name: _of(piece, part) if name in (*BIASES, dora.PART) else part
        for name, part in layer.parts.items()
    }
    if layer.format is None:
        return Layer(format=None, parts=cut)
    if layer.format is lora.FORMAT and lora.MID not in cut:
        return Layer(format=lora.FORMAT, parts={**cut, lora.UP: _of(piece, cut[lora.UP])})
    return Layer(format=_row_format(layer.format, piece, whole), parts=cut)


def _row_format(format: Format, piece: Piece, whole: int) -> Format:
    """The same format, giving these rows of its change."""

    def size(parts: Parts) -> Size:
        rows, columns = format.size(parts)
        if rows is None:
            return None, columns
        return len(range(rows)[piece.start : piece.stop]), columns

    def change(parts: Parts, weight: Tensor) -> Tensor:
        rows = format.size(parts)[0] or whole or len(weight)
        return _of(piece, format.change(parts, weight.new_zeros(rows, *weight.shape[1:])))

    return replace(format, size=size, change=change)


def _of(piece: Piece, whole: Tensor) -> Tensor:
    """The rows of a tensor that are the piece's."""
    rows = whole[piece.start : piece.stop]
    return rows.roll(len(rows) // 2, 0) if piece.swap_halves else rows
