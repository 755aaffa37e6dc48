"""The 4-bit forms of bitsandbytes, nf4 and fp4: each value is one of 16, times the largest of its
block of 64. Dettmers et al. 2023, section 3.

Beside `x.weight`, two values in a byte, the first in the upper half, lie `absmax`, the largest of
each block, and `quant_map`, the 16 values. `absmax` may itself be held in 8 bits: then each is one
of the 256 in `nested_quant_map`, times the `nested_absmax` of 256 of them, plus an offset. The
offset, the sizes and the weight's shape stand as JSON in a tensor of bytes named "quant_state".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webui.core.model import Header
from webui.families.quantised.quantised import Form, Group, Parts, ReadBytes, Scheme, Shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STATE: Final = ".quant_state.bitsandbytes__"
KINDS: Final = ("nf4", "fp4")
PARTS: Final = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
NESTED: Final = PARTS[2:]
VALUES: Final = "values"
MAX_STATE_BYTES: Final = 4096


def groups(header: Header, read: ReadBytes) -> Mapping[str, Group]:
    """Weights that have a state of bitsandbytes beside them. Raises ValueError for damaged ones."""
    found = {}
    for key in header:
        weight, mark, kind = key.rpartition(STATE)
        if mark and kind in KINDS and weight in header:
            try:
                found[weight] = _group(weight, key, header, read)
            except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
                raise ValueError(
                    f"{weight} is damaged ({error}). Download the model again."
                ) from error
    return found


def dequantise(parts: Parts, weight: Form, dtype: torch.dtype) -> Tensor:
    """quant_map[4 bits] * absmax of the block, multiplied in float32 and rounded once."""
    import torch

    table = parts["quant_map"].to(torch.float32)
    # both values of each byte at once: half the indices
    pairs = torch.stack([table.repeat_interleave(16), table.repeat(16)], dim=1)
    if parts[VALUES].device.type != "cpu":  # there mixed types take longer than more bytes
        pairs = pairs.to(dtype)
    values = torch.nn.functional.embedding(parts[VALUES].flatten().int(), pairs).flatten()
    count, block = math.prod(weight.shape), int(weight.options["block"])
    largest = _largest(parts, weight)
    whole = count // block * block
    values[:whole].view(-1, block).mul_(largest[: whole // block, None])
    if whole < count:
        values[whole:count].mul_(largest[-1:])
    return values[:count].to(dtype)


def rows(weight: Form, start: int, stop: int) -> Mapping[str, tuple[int, int]] | None:
    """Rows that begin and end with a block, and with a block of blocks where `absmax` has them."""
    count, block = math.prod(weight.shape), int(weight.options["block"])
    first, last = start * weight.columns, stop * weight.columns
    nested = int(weight.options.get("nested_block", 1))
    if any(edge % (block * nested) for edge in (first, last) if edge != count):
        return None
    cut = {
        VALUES: (first // 2, -(-last // 2)),
        "absmax": (first // block, -(-last // block)),
    }
    if "nested_block" in weight.options:
        whole = block * nested
        cut["nested_absmax"] = (first // whole, -(-last // whole))
    return cut


def _group(weight: str, state: str, header: Header, read: ReadBytes) -> Group:
    if math.prod(header[state].shape) > MAX_STATE_BYTES:
        raise ValueError("its state is too long")
    said: dict[str, Any] = json.loads(read(state))
    shape: Shape = tuple(int(side) for side in said["shape"])
    block = int(said["blocksize"])
    keys = {VALUES: weight} | {
        part: f"{weight}.{part}" for part in PARTS if f"{weight}.{part}" in header
    }
    options = {"block": float(block)}
    if NESTED[0] in keys:
        options |= {
            "nested_block": float(int(said["nested_blocksize"])),
            "offset": float(said["nested_offset"]),
        }
    _check(header, keys, shape, options)
    return Group(scheme=SCHEME, shape=shape, keys=keys, unused=(state,), options=options)


def _check(
    header: Header, keys: Mapping[str, str], shape: Shape, options: Mapping[str, float]
) -> None:
    """The sizes of all parts by that of the weight. Raises ValueError, KeyError."""
    counts = {part: math.prod(header[key].shape) for part, key in keys.items()}
    count, block = math.prod(shape), int(options["block"])
    if min((*shape, block), default=0) < 1 or block % 2:
        raise ValueError("it has an impossible size")
    blocks = -(-count // block)
    wanted = {VALUES: -(-count // 2), "absmax": blocks, "quant_map": 16}
    if NESTED[0] in keys:
        nested = int(options["nested_block"])
        wanted |= {"nested_absmax": -(-blocks // nested), "nested_quant_map": 256}
    for part, size in wanted.items():
        if counts[part] != size:
            raise ValueError(f"{part} has {counts[part]} values instead of {size}")


def _largest(parts: Parts, weight: Form) -> Tensor:
    """The largest value of each block, float32."""
    import torch

    if NESTED[0] not in parts:
        return parts["absmax"].to(torch.float32)
    table = parts["nested_quant_map"].to(torch.float32)
    of_table = table[parts["absmax"].int()]
    nested = parts["nested_absmax"].to(torch.float32)
    scale = nested.repeat_interleave(int(weight.options["nested_block"]))[: len(of_table)]
    return of_table * scale + weight.options["offset"]


SCHEME: Final = Scheme(
    id="bnb4",
    label="nf4 or fp4",
    groups=groups,
    dequantise=dequantise,
    rows=rows,
)
