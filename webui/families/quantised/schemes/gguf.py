"""The block formats of GGUF files: a few dozen weights share a scale, and often a smallest value.

A type's block is a run of bytes; its layout is that of ggml's structures (ggml-common.h, MIT). The
K types hold 256 weights in groups of 16 or 32, whose scales are themselves a few bits times one
scale of the block. The IQ4 types hold places in a table of 16 values that lie closer together
around zero. Scales are computed in float32; each weight is rounded once, on a GPU
twice where a smallest value is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from webui.core.model import Header
from webui.families.quantised.quantised import Form, Group, Parts, ReadBytes, Scheme

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLOCKS: Final = "blocks"
"""The only part: uint8, (blocks, bytes of a block)."""


TABLE: Final = (
    *(-127, -104, -83, -65, -49, -35, -22, -10),
    *(1, 13, 25, 38, 53, 69, 89, 113),
)
"""ggml's kvalues_iq4nl."""
HALVES: Final = tuple(
    sum((value & 255) << (8 * place) for place, value in enumerate(half)) - (half[-1] < 0) * 2**64
    for half in (TABLE[:8], TABLE[8:])
)
"""The table in two whole numbers of 64 bits with a sign."""


class BlockType(NamedTuple):
    """A layout of blocks. `values(blocks, dtype)` gives (blocks, weights)."""

    weights: int
    size_bytes: int
    values: Callable[[Tensor, torch.dtype], Tensor]


def _q8_0(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    import torch

    return blocks[:, 2:].contiguous().view(torch.int8).to(dtype).mul_(_half(blocks, 0))


def _q4_0(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    return _halves(blocks[:, 2:]).to(dtype).sub_(8).mul_(_half(blocks, 0))


def _q4_1(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    values = _halves(blocks[:, 4:]).to(dtype)
    return values.mul_(_half(blocks, 0)).add_(_half(blocks, 2))


def _q5_0(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    values = _halves(blocks[:, 6:]) | _fifth_bits(blocks[:, 2:6])
    return values.to(dtype).sub_(16).mul_(_half(blocks, 0))


def _q5_1(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    values = _halves(blocks[:, 8:]) | _fifth_bits(blocks[:, 4:8])
    return values.to(dtype).mul_(_half(blocks, 0)).add_(_half(blocks, 2))


def _q2_k(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    values = _quarters(blocks[:, 16:80]).reshape(-1, 16, 16).to(dtype)
    scale = (blocks[:, :16] & 15) * _half(blocks, 80)
    least = (blocks[:, :16] >> 4) * _half(blocks, 82)
    return values.mul_(scale[..., None]).sub_(least[..., None])


def _q3_k(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    import torch

    high = _split(blocks[:, None, :32], 1) & 1  # a bit that is not set takes 4 away
    values = _quarters(blocks[:, 32:96]).reshape(-1, 8, 32).to(torch.int8) + (high * 4) - 4
    low = _split(blocks[:, None, 96:104], 4).reshape(-1, 16) & 15
    top = _split(blocks[:, None, 104:108], 2).reshape(-1, 16) & 3
    scale = ((low | (top << 4)).to(torch.int8) - 32) * _half(blocks, 108)
    return values.reshape(-1, 16, 16).to(dtype).mul_(scale[..., None])


def _q4_k(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    values = _split(blocks[:, 16:].reshape(-1, 4, 1, 32), 4).reshape(-1, 8, 32) & 15
    return _scaled_k(blocks, values, dtype)


def _q5_k(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    low = _split(blocks[:, 48:].reshape(-1, 4, 1, 32), 4).reshape(-1, 8, 32) & 15
    high = _split(blocks[:, None, 16:48], 1) & 1
    return _scaled_k(blocks, low | (high << 4), dtype)


def _q6_k(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    import torch

    low = _split(blocks[:, :128].reshape(-1, 2, 1, 64), 4).reshape(-1, 8, 32) & 15
    high = _quarters(blocks[:, 128:192]).reshape(-1, 8, 32)
    values = (low | (high << 4)).to(torch.int8).reshape(-1, 16, 16) - 32
    scale = blocks[:, 192:208].contiguous().view(torch.int8) * _half(blocks, 208)
    return values.to(dtype).mul_(scale[..., None])


def _iq4_nl(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    return _looked_up(_halves(blocks[:, 2:]), dtype).mul_(_half(blocks, 0))


def _iq4_xs(blocks: Tensor, dtype: torch.dtype) -> Tensor:
    import torch

    low = _split(blocks[:, 4:8, None], 4).reshape(-1, 8) & 15
    top = _split(blocks[:, 2:4, None], 2).reshape(-1, 8) & 3
    scale = ((low | (top << 4)).to(torch.int8) - 32) * _half(blocks, 0)
    packed = blocks[:, 8:].reshape(-1, 16)
    values = _looked_up(_halves(packed), dtype).reshape(-1, 8, 32)
    return values.mul_(scale[..., None])


def _looked_up(places: Tensor, dtype: torch.dtype) -> Tensor:
    """What stands in the table at these places. It is made on the device, as in `_split`."""
    import torch

    by = torch.arange(0, 64, 8, device=places.device)
    halves = [torch.full_like(by, half) >> by for half in HALVES]
    table = torch.cat(halves).to(torch.int8).to(dtype)
    return table.index_select(0, places.flatten().int()).reshape(places.shape)


def _scaled_k(blocks: Tensor, values: Tensor, dtype: torch.dtype) -> Tensor:
    """(blocks, 8, 32) by the 8 scales and 8 least values of 6 bits each, packed in 12 bytes."""
    packed = blocks[:, 4:16]
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scale = _beside(first & 63, (third & 15) | ((first >> 6) << 4)) * _half(blocks, 0)
    least = _beside(second & 63, (third >> 4) | ((second >> 6) << 4)) * _half(blocks, 2)
    return values.to(dtype).mul_(scale[..., None]).sub_(least[..., None])


def _half(blocks: Tensor, at: int) -> Tensor:
    """The 16-bit number at this byte of each block: float32, (blocks, 1)."""
    import torch

    return blocks[:, at : at + 2].contiguous().view(torch.float16).to(torch.float32)


def _halves(packed: Tensor) -> Tensor:
    """The lower halves of all bytes, then the upper ones: (blocks, 2 * bytes)."""
    return _beside(packed & 15, packed >> 4)


def _quarters(packed: Tensor) -> Tensor:
    """Pairs of bits, the lowest of 32 bytes first: (blocks, 2, 4, 32) of 64 bytes."""
    return _split(packed.reshape(-1, 2, 1, 32), 2) & 3


def _fifth_bits(packed: Tensor) -> Tensor:
    """Bit i of 4 bytes, in its place as the fifth of weight i: (blocks, 32)."""
    return (_split(packed[..., None], 1).reshape(-1, 32) & 1) << 4


def _split(packed: Tensor, bits: int) -> Tensor:
    """Shifted right by multiples of so many bits: (..., shifts, n) of (..., 1, n), and
    (..., n, shifts) of (..., n, 1). Made on the device: a copy to it can't be captured."""
    import torch

    by = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
    return packed >> (by if packed.shape[-1] == 1 else by[:, None])


def _beside(left: Tensor, right: Tensor) -> Tensor:
    import torch

    return torch.cat([left, right], dim=1)


TYPES: Final[Mapping[str, BlockType]] = MappingProxyType(
    {
        "Q4_0": BlockType(32, 18, _q4_0),
        "Q4_1": BlockType(32, 20, _q4_1),
        "Q5_0": BlockType(32, 22, _q5_0),
        "Q5_1": BlockType(32, 24, _q5_1),
        "Q8_0": BlockType(32, 34, _q8_0),
        "Q2_K": BlockType(256, 84, _q2_k),
        "Q3_K": BlockType(256, 110, _q3_k),
        "Q4_K": BlockType(256, 144, _q4_k),
        "Q5_K": BlockType(256, 176, _q5_k),
        "Q6_K": BlockType(256, 210, _q6_k),
        "IQ4_NL": BlockType(32, 18, _iq4_nl),
        "IQ4_XS": BlockType(256, 136, _iq4_xs),
    }
)
"""By ggml's names."""


def groups(type: str, header: Header, read: ReadBytes) -> Mapping[str, Group]:
    """All tensors of one type."""
    scheme = SCHEME[type]
    return {
        key: Group(scheme=scheme, shape=tensor.shape, keys={BLOCKS: key})
        for key, tensor in header.items()
        if tensor.dtype == type
    }


def dequantise(type: str, parts: Parts, weight: Form, dtype: torch.dtype) -> Tensor:
    """The weights of all blocks."""
    import torch

    blocks = parts[BLOCKS]
    if blocks.device.type == "cpu":  # where mixed types take three times as long
        return TYPES[type].values(blocks, torch.float32).to(dtype)
    return TYPES[type].values(blocks, dtype)


def rows(type: str, weight: Form, start: int, stop: int) -> Mapping[str, tuple[int, int]] | None:
    """Rows that are whole blocks: all, but for weights that were laid out anew to be packed."""
    count, rest = divmod(weight.columns, TYPES[type].weights)
    return None if rest else {BLOCKS: (start * count, stop * count)}


SCHEME: Final[Mapping[str, Scheme]] = MappingProxyType(
    {
        type: Scheme(
            id=type.lower(),
            label=f"GGUF {type}",
            groups=partial(groups, type),
            dequantise=partial(dequantise, type),
            rows=partial(rows, type),
        )
        for type in TYPES
    }
)
