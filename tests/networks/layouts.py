"""Tiny random networks in the real layouts, key for key, for tests of anything that reads them.

A layer's tensors are made for the shape of the weight that they change; names are then given as
trainers and libraries give them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

Shape = tuple[int, ...]
Parts = dict[str, Tensor]
Make = Callable[[Shape], Parts]
NameOf = Callable[[str, str], str]

RANK: Final = 4
ALPHA: Final = 2.0
SIZE: Final = 0.1


def normal(*shape: int) -> Tensor:
    """Random values of a size that weights have."""
    return torch.randn(*shape) * SIZE


def lora(shape: Shape, rank: int = RANK) -> Parts:
    """kohya's LoRA; for a convolution LoCon, whose kernel lies in `lora_down`."""
    rows, columns, *kernel = shape
    return {
        "lora_up.weight": normal(rows, rank, *[1] * len(kernel)),
        "lora_down.weight": normal(rank, columns, *kernel),
        "alpha": torch.tensor(ALPHA),
    }


def locon_cp(shape: Shape) -> Parts:
    """LyCORIS LoCon with "use_tucker": the kernel lies between the two. Convolutions only."""
    rows, columns, *kernel = shape
    return {
        "lora_up.weight": normal(rows, RANK, 1, 1),
        "lora_down.weight": normal(RANK, columns, 1, 1),
        "lora_mid.weight": normal(RANK, RANK, *kernel),
        "alpha": torch.tensor(ALPHA),
    }


def loha(shape: Shape) -> Parts:
    """LyCORIS LoHa; a convolution's kernel is flattened into the columns."""
    rows, columns = shape[0], _flat(shape[1:])
    return {
        "hada_w1_a": normal(rows, RANK),
        "hada_w1_b": normal(RANK, columns),
        "hada_w2_a": normal(rows, RANK),
        "hada_w2_b": normal(RANK, columns),
        "alpha": torch.tensor(ALPHA),
    }


def loha_tucker(shape: Shape) -> Parts:
    """LyCORIS LoHa with "use_tucker". Convolutions only."""
    rows, columns, *kernel = shape
    parts = {"alpha": torch.tensor(ALPHA)}
    for number in (1, 2):
        parts[f"hada_t{number}"] = normal(RANK, RANK, *kernel)
        parts[f"hada_w{number}_a"] = normal(RANK, rows)
        parts[f"hada_w{number}_b"] = normal(RANK, columns)
    return parts


def lokr(shape: Shape) -> Parts:
    """LyCORIS LoKr, both factors whole ("full_matrix"): its alpha means nothing."""
    rows, columns, *kernel = shape
    return {
        "lokr_w1": normal(4, 4),
        "lokr_w2": normal(rows // 4, columns // 4, *kernel),
        "alpha": torch.tensor(ALPHA),
    }


def lokr_low_rank(shape: Shape) -> Parts:
    """LyCORIS LoKr with its second factor low-rank, as it is by default."""
    rows, columns = shape[0], shape[1]
    return {
        "lokr_w1": normal(4, 4),
        "lokr_w2_a": normal(rows // 4, RANK),
        "lokr_w2_b": normal(RANK, _flat((columns // 4, *shape[2:]))),
        "alpha": torch.tensor(ALPHA),
    }


def lokr_both(shape: Shape) -> Parts:
    """LyCORIS LoKr with "decompose_both"."""
    parts = lokr_low_rank(shape)
    del parts["lokr_w1"]
    return {**parts, "lokr_w1_a": normal(4, RANK), "lokr_w1_b": normal(RANK, 4)}


def lokr_tucker(shape: Shape) -> Parts:
    """LyCORIS LoKr with "use_tucker". Convolutions only."""
    rows, columns, *kernel = shape
    return {
        "lokr_w1": normal(4, 4),
        "lokr_t2": normal(RANK, RANK, *kernel),
        "lokr_w2_a": normal(RANK, rows // 4),
        "lokr_w2_b": normal(RANK, columns // 4),
        "alpha": torch.tensor(ALPHA),
    }


def ia3(shape: Shape) -> Parts:
    """LyCORIS IA3 on outputs."""
    return {"weight": normal(1, shape[0], *[1] * (len(shape) - 2)), "on_input": torch.tensor(False)}


def ia3_input(shape: Shape) -> Parts:
    """LyCORIS IA3 on inputs. Linear layers only."""
    return {"weight": normal(1, shape[1]), "on_input": torch.tensor(True)}


def full(shape: Shape) -> Parts:
    """LyCORIS full: weight and bias."""
    return {"diff": normal(*shape), "diff_b": normal(shape[0])}


def norm(shape: Shape) -> Parts:
    """LyCORIS norm. Normalising layers only."""
    return {"w_norm": normal(*shape), "b_norm": normal(*shape)}


def oft(shape: Shape) -> Parts:
    """LyCORIS and kohya OFT without constraint."""
    return {"oft_blocks": normal(4, shape[0] // 4, shape[0] // 4), "alpha": torch.tensor(0.0)}


def oft_constrained(shape: Shape) -> Parts:
    """LyCORIS and kohya OFT with a constraint that holds back, and a rescale."""
    return {
        "oft_blocks": normal(4, shape[0] // 4, shape[0] // 4),
        "rescale": 1 + normal(shape[0], *[1] * (len(shape) - 1)),
        "alpha": torch.tensor(0.001),
    }


def oft_diag(shape: Shape) -> Parts:
    """OFT as in LyCORIS 2.0's first versions: the rotations themselves."""
    side = shape[0] // 4
    return {"oft_diag": torch.linalg.qr(torch.randn(4, side, side))[0].contiguous()}


def boft(shape: Shape) -> Parts:
    """LyCORIS BOFT: three factors of blocks of 4."""
    return {"oft_blocks": normal(3, shape[0] // 4, 4, 4), "alpha": torch.tensor(0.0)}


def glora(shape: Shape) -> Parts:
    """LyCORIS GLoRA before 2.0. Linear layers only."""
    rows, columns = shape
    return {
        "a1.weight": normal(RANK, columns),
        "a2.weight": normal(columns, RANK),
        "b1.weight": normal(RANK, columns),
        "b2.weight": normal(rows, RANK),
        "alpha": torch.tensor(ALPHA),
    }


def glora_new(shape: Shape) -> Parts:
    """LyCORIS GLoRA of today: the two of each pair swapped. Linear layers only."""
    rows, columns = shape
    return {
        "a1.weight": normal(columns, RANK),
        "a2.weight": normal(RANK, columns),
        "b1.weight": normal(rows, RANK),
        "b2.weight": normal(RANK, columns),
        "alpha": torch.tensor(ALPHA),
    }


def dora_rows(shape: Shape) -> Parts:
    """LoRA with a length for each output: peft, and LyCORIS with "wd_on_out"."""
    return {**lora(shape), "dora_scale": 1 + normal(shape[0], *[1] * (len(shape) - 1))}


def dora_columns(shape: Shape) -> Parts:
    """LoRA with a length for each input: LyCORIS by default."""
    return {**lora(shape), "dora_scale": 1 + normal(1, shape[1], *[1] * (len(shape) - 2))}


def loha_dora(shape: Shape) -> Parts:
    """LoHa with lengths."""
    return {**loha(shape), "dora_scale": 1 + normal(1, shape[1], *[1] * (len(shape) - 2))}


LINEAR: Final[tuple[Make, ...]] = (
    *(lora, loha, lokr, lokr_low_rank, lokr_both, ia3, ia3_input, full),
    *(oft, oft_constrained, oft_diag, boft, glora, glora_new),
    *(dora_rows, dora_columns, loha_dora),
)
"""Layouts that linear layers come in."""

CONVOLUTION: Final[tuple[Make, ...]] = (
    *(lora, locon_cp, loha, loha_tucker, lokr, lokr_low_rank, lokr_tucker, ia3, full),
    *(oft, oft_constrained, boft, dora_rows, dora_columns),
)
"""Layouts that convolutions come in."""


def kohya(part: str, module: str) -> str:
    """As kohya's trainer names layers for SD 1.x, LyCORIS too; `part` is "unet" or
    "text_encoder"."""
    flat = module.replace(".", "_")
    return f"lora_unet_{flat}" if part == "unet" else f"lora_te_text_model_{flat}"


def diffusers(part: str, module: str) -> str:
    """As diffusers names layers, text encoders as in transformers before 5.6."""
    return f"unet.{module}" if part == "unet" else f"{part}.text_model.{module}"


def written(
    path: Path,
    layers: Mapping[tuple[str, str], Parts],
    name_of: NameOf = kohya,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A file of these layers, by part and module."""
    tensors = {
        f"{name_of(part, module)}.{name}": tensor.contiguous()
        for (part, module), parts in layers.items()
        for name, tensor in parts.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, dict(metadata) if metadata else None)
    return path


def as_peft(parts: Parts) -> Parts:
    """A LoRA's tensors as peft names them. It keeps alpha out of them."""
    names = {
        "lora_up.weight": "lora_B.weight",
        "lora_down.weight": "lora_A.weight",
        "dora_scale": "lora_magnitude_vector",
    }
    renamed = {names[name]: tensor for name, tensor in parts.items() if name in names}
    if "lora_magnitude_vector" in renamed:
        renamed["lora_magnitude_vector"] = renamed["lora_magnitude_vector"].flatten()
    return renamed


def peft_metadata(part: str, alpha: float) -> dict[str, str]:
    """What diffusers writes about a LoRA since 0.34."""
    settings = {f"{part}.r": RANK, f"{part}.lora_alpha": alpha}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(settings)}


def _flat(shape: Shape) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
