"""Qwen 2.5 VL with its eyes: what models read with that change pictures by words.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.language_model import (
    FILE_STARTS,
    KINDS,
    ROOT,
    find_language_model,
    plain_names,
    text_settings,
)
from webui.families.weights import TensorFiles, build

FIRST: Final = "visual.patch_embed.proj.weight"
"""(W, 3, 2, 14, 14): how its name ends in a file."""
HEAD: Final = 80
"""How wide a head of its attention to a picture is."""
SECTIONS: Final = (16, 24, 24)
"""How much of a head is turned by the time, the line and the column of a token."""
EYES: Final = "visual."
WORDS: Final = "language_model."


def load_seeing_model(
    files: TensorFiles, part: str, placement: Placement, starts: Iterable[str] = FILE_STARTS
) -> Any:
    """The language model in `files` that sees pictures too. Raises ModelUnreadable."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

    start, eyes = find_language_model(files, starts), _eyes(files)
    if start is None or eyes is None or start + ROOT not in files:
        raise ModelUnreadable(
            files.name,
            "it reads words alone, and this model's text encoder must see pictures too. Put "
            "qwen_2.5_vl_7b.safetensors, or another whole Qwen2.5-VL 7B in safetensors, into "
            "models/text_encoders.",
        )
    if placement.dtype is torch.float16:  # beyond whose range its numbers go
        placement = replace(placement, dtype=torch.bfloat16)
    text = text_settings(files, KINDS[part], partial(plain_names, start=start))
    text["rope_parameters"] = {**text["rope_parameters"], "mrope_section": list(SECTIONS)}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=_vision_settings(files, eyes))
    names = partial(_names, start=start, eyes=eyes)
    return build(lambda: Qwen2_5_VLModel(config), names, files, placement)


def _eyes(files: TensorFiles) -> str | None:
    """What stands before the names of what sees."""
    first = next((key for key in files if key.endswith(FIRST)), None)
    return None if first is None else first.removesuffix(FIRST) + EYES


def _vision_settings(files: TensorFiles, eyes: str) -> dict[str, Any]:
    """What the shapes tell."""
    width = files.shape(f"{eyes}patch_embed.proj.weight")[0]
    depth = 0
    while f"{eyes}blocks.{depth}.norm1.weight" in files:
        depth += 1
    return {
        "depth": depth,
        "hidden_size": width,
        "intermediate_size": files.shape(f"{eyes}blocks.0.mlp.gate_proj.weight")[0],
        "num_heads": max(1, width // HEAD),
        "out_hidden_size": files.shape(f"{eyes}merger.mlp.2.weight")[0],
    }


def _names(keys: Collection[str], start: str, eyes: str) -> Mapping[str, str]:
    return {
        key: eyes + key.removeprefix(EYES)
        if key.startswith(EYES)
        else start + key.removeprefix(WORDS)
        for key in keys
    }
