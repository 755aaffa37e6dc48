"""Numbers of 8 bits times a scale: of the whole weight, of each row, or of each square block.

ComfyUI writes "scaled fp8" so: `scale_weight` beside the weight, later `weight_scale` with a
`comfy_quant` that names the format; some trainers of language models write `weight_scale_inv` for
blocks of 128 x 128. The 8-bit form of bitsandbytes has whole numbers and, in `SCB`, what 127 is
worth in each row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webui.core.model import Header
from webui.families.quantised.quantised import Form, Group, Parts, ReadBytes, Scheme, Shape
from webui.families.quantised.schemes.fp8 import TYPES, VALUES, times

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCALE: Final = "scale"
WEIGHT: Final = ".weight"
SCALES: Final = (".scale_weight", ".weight_scale", ".weight_scale_inv")
OF_127: Final = ".SCB"
BESIDE: Final = (".scale_input", ".input_scale", ".comfy_quant", ".weight_format")
"""For multiplying in 8 bits, or about the rest: nothing that the weight's values need."""
FORMAT: Final = ".comfy_quant"
FORMATS: Final = ("float8_e4m3fn", "float8_e5m2", "int8")
"""How the names of readable formats begin; what the scale is of follows, and is seen by its shape.
"""
BLOCK: Final = 128
MAX_FORMAT_BYTES: Final = 4096


def groups(header: Header, read: ReadBytes) -> Mapping[str, Group]:
    """Weights that have a scale beside them. Raises ValueError for other formats of ComfyUI."""
    found = {}
    for key, tensor in header.items():
        layer = key.removesuffix(WEIGHT)
        if layer == key:
            continue
        _check_format(layer + FORMAT, header, read)
        _check_bits(key, tensor.dtype, layer + SCALES[1] in header)
        is_whole = tensor.dtype == "I8"
        names = (*SCALES, *([OF_127] if is_whole else []))
        scale = next((name for name in names if layer + name in header), None)
        if scale is not None and (is_whole or tensor.dtype in TYPES or scale == SCALES[0]):
            height = _height(key, tensor.shape, header[layer + scale].shape)
            found[key] = Group(
                scheme=SCHEME,
                shape=tensor.shape,
                keys={VALUES: key, SCALE: layer + scale},
                unused=tuple(layer + name for name in BESIDE if layer + name in header),
                options={"of": 127.0 if scale == OF_127 else 1.0, "height": height},
            )
    return found


def dequantise(parts: Parts, weight: Form, dtype: torch.dtype) -> Tensor:
    """values * scale, multiplied in float32 and rounded once."""
    import torch

    values, height = parts[VALUES], int(weight.options["height"])
    scale = parts[SCALE].to(torch.float32) / weight.options["of"]
    if values.device.type != "cpu":  # a device would have to be waited for to know the scale
        wide = values.to(dtype, copy=True).reshape(len(values), -1)
        return wide.mul_(_spread(scale, height, wide.shape))
    if not height:
        return times(values, scale.item(), dtype)
    wide = times(values, 1.0, torch.float32).reshape(len(values), -1)
    return wide.mul_(_spread(scale, height, wide.shape)).to(dtype)


def rows(weight: Form, start: int, stop: int) -> Mapping[str, tuple[int, int]] | None:
    """Any rows; where the scale is of blocks, those that are whole blocks."""
    height = int(weight.options["height"])
    if not height:
        return {VALUES: (start, stop)}
    if any(edge % height for edge in (start, stop) if edge != weight.shape[0]):
        return None
    return {VALUES: (start, stop), SCALE: (start // height, -(-stop // height))}


def _check_format(key: str, header: Header, read: ReadBytes) -> None:
    if key not in header:
        return
    try:
        size = header[key].shape[0]
        said = json.loads(read(key)) if size <= MAX_FORMAT_BYTES else None
        format = said.get("format") if isinstance(said, dict) else None
    except (ValueError, IndexError, RecursionError) as error:
        raise ValueError(f"{key} can't be read ({error}). Download it again.") from error
    if not str(format).startswith(FORMATS):
        raise ValueError(
            f"its weights are held as “{format}”, which this version can't read. Look for an fp8, "
            "GGUF or 16-bit version of it."
        )


def _check_bits(key: str, dtype: str, has_scale: bool) -> None:
    if has_scale and dtype in ("U8", "F4"):
        raise ValueError(
            f"its weights are held in 4 bits ({key}, “nvfp4” or the like), which this version "
            "can't read. Look for an fp8, GGUF or 16-bit version of it."
        )


def _height(key: str, shape: Shape, scale: Shape) -> int:
    """How many rows share a scale; 0 if all do. Raises ValueError."""
    if all(side == 1 for side in scale):
        return 0
    if scale[0] == shape[0] and all(side == 1 for side in scale[1:]):
        return 1
    if len(shape) == 2 and scale == tuple(-(-side // BLOCK) for side in shape):
        return BLOCK
    raise ValueError(
        f"the scale of {key} has the shape {scale}, which fits no weight of the shape {shape}. "
        "Look for another version of it."
    )


def _spread(scale: Tensor, height: int, shape: Shape) -> Tensor:
    """A scale for each value: (1, 1), (rows, 1) or (rows, columns)."""
    if height != BLOCK:
        return scale.reshape(-1, 1)
    tall = scale.repeat_interleave(BLOCK, 0)[: shape[0]]
    return tall.repeat_interleave(BLOCK, 1)[:, : shape[1]]


SCHEME: Final = Scheme(
    id="affine",
    label="fp8 or int8 with scales",
    groups=groups,
    dequantise=dequantise,
    rows=rows,
)
