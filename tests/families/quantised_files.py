"""Tiny weights in fewer bits, written key for key as the programs do that make such files.

Only what is written here is shared with what reads it: nothing.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

Tensors = dict[str, Tensor]
REFERENCE: Final = Path(__file__).parent / "quantised_reference.safetensors"
"""Random packed weights and their true values: by gguf 0.19.0's `dequantize`, and packed and
unpacked by bitsandbytes 0.50.2 on the CPU."""
BLOCKS: Final[Mapping[str, tuple[int, int, tuple[int, ...], int]]] = {
    "Q4_0": (32, 18, (0,), 2),
    "Q4_1": (32, 20, (0, 2), 3),
    "Q5_0": (32, 22, (0,), 6),
    "Q5_1": (32, 24, (0, 2), 7),
    "Q8_0": (32, 34, (0,), 8),
    "Q2_K": (256, 84, (80, 82), 10),
    "Q3_K": (256, 110, (108,), 11),
    "Q4_K": (256, 144, (0, 2), 12),
    "Q5_K": (256, 176, (0, 2), 13),
    "Q6_K": (256, 210, (208,), 14),
    "IQ4_NL": (32, 18, (0,), 20),
    "IQ4_XS": (256, 136, (0,), 23),
}
"""Weights and bytes of a block, where its 16-bit numbers stand, ggml's number of the type."""
PLAIN: Final = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}


def reference() -> Tensors:
    """All tensors of the reference."""
    return dict(load_file(REFERENCE))


def scaled_fp8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """ComfyUI's: the largest value becomes 448."""
    scale = weight.abs().max().float() / 448
    return (weight / scale).to(torch.float8_e4m3fn), scale


def as_scaled_fp8(tensors: Tensors, start: str) -> Tensors:
    """A checkpoint as ComfyUI scales it: the matrices and kernels that `start` begins."""
    found: Tensors = {}
    for key, tensor in tensors.items():
        found[key] = tensor
        if key.startswith(start) and key.endswith(".weight") and tensor.ndim > 1:
            found[key], scale = scaled_fp8(tensor)
            found[key.removesuffix("weight") + "scale_weight"] = scale
            found[key.removesuffix("weight") + "scale_input"] = torch.ones(())
    return {**found, f"{start}scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)}


def as_nf4(weight: Tensor, key: str, block: int = 64) -> Tensors:
    """bitsandbytes', `absmax` in full precision."""
    table = reference()["nf4.plain.weight.quant_map"]
    flat = weight.float().flatten()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)
    largest = padded.abs().amax(1)
    nearest = (padded / largest.clamp(min=1e-9)[:, None])[..., None].sub(table).abs().argmin(-1)
    codes = nearest.flatten()[: len(flat) + len(flat) % 2].to(torch.uint8)
    state = {"quant_type": "nf4", "blocksize": block, "dtype": "float16"}
    words = json.dumps({**state, "shape": list(weight.shape)}).encode()
    return {
        key: ((codes[::2] << 4) | codes[1::2])[:, None],
        f"{key}.absmax": largest,
        f"{key}.quant_map": table,
        f"{key}.quant_state.bitsandbytes__nf4": torch.tensor(list(words), dtype=torch.uint8),
    }


class Ggml(NamedTuple):
    """A tensor of a GGUF file: the number of its type, its shape with the outermost side first,
    its bytes."""

    type: int
    shape: tuple[int, ...]
    data: bytes


def plain(tensor: Tensor) -> Ggml:
    """A tensor as it is."""
    data = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    return Ggml(PLAIN[tensor.dtype], tuple(tensor.shape), data)


def blocks(type: str, shape: tuple[int, ...], size: float = 0.01) -> Ggml:
    """Random blocks of a type; `size` is that of their scales."""
    weights, size_bytes, halves, number = BLOCKS[type]
    count = prod(shape) // weights
    raw = torch.randint(0, 256, (count, size_bytes), dtype=torch.uint8)
    for at in halves:
        raw[:, at : at + 2] = (torch.randn(count, 1) * size).half().view(torch.uint8)
    return Ggml(number, shape, raw.numpy().tobytes())


def text(words: str) -> bytes:
    """A text as GGUF has it."""
    return struct.pack("<Q", len(words.encode())) + words.encode()


def entry(key: str, value: str | int | list[int] | list[str]) -> bytes:
    """An entry of the metadata."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if value and isinstance(value[0], str):
        words = b"".join(text(str(each)) for each in value)
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + words
    return text(key) + struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def front(rows: Iterable[tuple[str, Ggml, int]], entries: Iterable[bytes], version: int) -> bytes:
    """All that stands before the data; a row is a name, a tensor and its offset."""
    listed, described = list(rows), list(entries)
    begin = b"GGUF" + struct.pack("<IQQ", version, len(listed), len(described))
    infos = [
        text(name)
        + struct.pack(f"<I{len(each.shape)}Q", len(each.shape), *reversed(each.shape))
        + struct.pack("<IQ", each.type, offset)
        for name, each, offset in listed
    ]
    return begin + b"".join(described) + b"".join(infos)


def write_gguf(
    path: Path, tensors: Mapping[str, Ggml], entries: Iterable[bytes] = (), version: int = 3
) -> Path:
    """A GGUF file."""
    rows, data = [], b""
    for name, tensor in tensors.items():
        rows.append((name, tensor, len(data)))
        data += tensor.data + bytes(-len(tensor.data) % 32)
    head = front(rows, [entry("general.architecture", "flux"), *entries], version)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path
