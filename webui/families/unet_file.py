"""Where the UNet of a Stable Diffusion lies in a file, by which names, and how it is made.

Read from names and shapes alone: files of UNets come with the names of the original layout or of
diffusers, with or without a prefix, and leaner relatives of SDXL leave layers out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count, takewhile
from typing import Any, Final

from webui.families import ldm_layout

Shapes = Mapping[str, tuple[int, ...]]
"""The tensors of a file."""
Config = dict[str, Any]

PREFIXES: Final = (ldm_layout.UNET, "", "diffusion_model.", "unet.")
ORIGINAL_MARKS: Final = ("input_blocks.0.0.weight", "out.2.weight")
DIFFUSERS_MARKS: Final = (
    "conv_in.weight",
    "down_blocks.0.resnets.0.conv1.weight",
    "conv_out.weight",
)
"""The last of each is what a ControlNet lacks."""
FILM_MARKS: Final = (".time_stack.", "temporal_transformer_blocks.", "motion_modules.")
LISTENING: Final = ".attn2.to_k.weight"
"""(width, context): a layer that takes the text."""


@dataclass(frozen=True, kw_only=True)
class UNetFile:
    """A UNet in a file."""

    prefix: str
    is_original: bool
    """Its names are those of the original layout, else those of diffusers."""
    channels: int
    """It takes: those of the latents, and whatever it sees beside them."""
    context_width: int
    """Of the text that it listens to."""
    label_width: int = 0
    """Of what it is told of the picture as a whole; 0 if it is told nothing."""
    layers_per_block: int

    def name(self, key: str) -> str:
        """The file's name of a key of the UNet."""
        return self.names([key])[key]

    def names(self, keys: Collection[str]) -> dict[str, str]:
        """The file's name of each key of the UNet."""
        if self.is_original:
            return ldm_layout.unet_names(keys, self.layers_per_block, self.prefix)
        return {key: self.prefix + key for key in keys}


def find_unet(shapes: Shapes) -> UNetFile | None:
    """The UNet in a file with these tensors; None where there is none, or one for films."""
    for prefix in PREFIXES:
        for is_original, marks in ((True, ORIGINAL_MARKS), (False, DIFFUSERS_MARKS)):
            if all(prefix + mark in shapes for mark in marks):
                return _describe(shapes, prefix, is_original=is_original)
    return None


def unet_config(like: Config, shapes: Shapes, unet: UNetFile) -> Config:
    """The configuration of the UNet in a file. `like` is that of a sister of its: what no shape
    tells is the same in both."""
    ask = partial(_shape, shapes, unet)
    widths = _until_none(
        lambda block: ask(f"down_blocks.{block}.resnets.0.conv2.weight"), lambda shape: shape[0]
    )
    down = [_depths(ask, f"down_blocks.{i}", unet.layers_per_block) for i in range(len(widths))]
    up = [_depths(ask, f"up_blocks.{i}", unet.layers_per_block + 1) for i in range(len(widths))]
    middle = _depth(ask, "mid_block.attentions.0")
    proj_in = ask(f"{_first_attention(down)}.proj_in.weight") or ()
    guided = ask("time_embedding.cond_proj.weight")
    return like | {
        "in_channels": unet.channels,
        "block_out_channels": widths,
        "layers_per_block": unet.layers_per_block,
        "cross_attention_dim": unet.context_width,
        "use_linear_projection": len(proj_in) == 2,
        "time_cond_proj_dim": guided[1] if guided else None,
        "down_block_types": _kinds(down, "Down"),
        "up_block_types": _kinds(up, "Up"),
        "mid_block_type": _middle_kind(ask, middle),
        "transformer_layers_per_block": [_short(each) or middle or 1 for each in down],
        "reverse_transformer_layers_per_block": [_short(each) or 1 for each in up],
    }


Ask = Callable[[str], "tuple[int, ...] | None"]
"""The shape of a tensor by its key in the UNet; None if the file has none."""


def _describe(shapes: Shapes, prefix: str, *, is_original: bool) -> UNetFile | None:
    marks = ORIGINAL_MARKS if is_original else DIFFUSERS_MARKS
    own = [key for key in shapes if key.startswith(prefix)]
    listening = next((key for key in own if key.endswith(LISTENING)), None)
    if listening is None or any(mark in key for key in own for mark in FILM_MARKS):
        return None
    label = "label_emb.0.0.weight" if is_original else "add_embedding.linear_1.weight"
    return UNetFile(
        prefix=prefix,
        is_original=is_original,
        channels=shapes[prefix + marks[0]][1],
        context_width=shapes[listening][-1],
        label_width=shapes.get(prefix + label, (0, 0))[-1],
        layers_per_block=_layers_per_block(shapes, prefix, is_original=is_original),
    )


def _layers_per_block(shapes: Shapes, prefix: str, *, is_original: bool) -> int:
    if is_original:  # a block's layers stand before the one that makes the picture smaller
        ends = (
            i for i in count(1) if f"{prefix}input_blocks.{i}.0.in_layers.2.weight" not in shapes
        )
        return next(ends) - 1
    return len(
        _until_none(lambda i: shapes.get(f"{prefix}down_blocks.0.resnets.{i}.conv1.weight"), bool)
    )


def _shape(shapes: Shapes, unet: UNetFile, key: str) -> tuple[int, ...] | None:
    return shapes.get(unet.name(key))


def _until_none(
    ask: Callable[[int], tuple[int, ...] | None], tell: Callable[[tuple[int, ...]], Any]
) -> list[Any]:
    """What is told of 0, 1, 2 ... as long as they are there."""
    found = takewhile(lambda shape: shape is not None, map(ask, count()))
    return [tell(shape) for shape in found if shape is not None]


def _depths(ask: Ask, block: str, layers: int) -> list[int]:
    """How many transformer layers each attention of a block has; empty where it has none."""
    depths = [_depth(ask, f"{block}.attentions.{layer}") for layer in range(layers)]
    return depths if any(depths) else []


def _depth(ask: Ask, attention: str) -> int:
    return len(_until_none(lambda i: ask(f"{attention}.transformer_blocks.{i}{LISTENING}"), bool))


def _short(depths: list[int]) -> int | list[int] | None:
    """As configurations have it: one number where all are the same."""
    return depths[0] if len(set(depths)) == 1 else depths or None


def _first_attention(down: list[list[int]]) -> str:
    first = next((i for i, depths in enumerate(down) if depths), 0)
    return f"down_blocks.{first}.attentions.0"


def _middle_kind(ask: Ask, attending: int) -> str | None:
    """KOALA-700M (huggingface.co/etri-vilab/koala-700m) has no middle at all."""
    layers = (ask(f"mid_block.resnets.{layer}.conv1.weight") for layer in range(2))
    if not attending and all(layer is None for layer in layers):
        return None
    return "UNetMidBlock2DCrossAttn" if attending else "UNetMidBlock2D"


def _kinds(blocks: list[list[int]], way: str) -> list[str]:
    return [f"CrossAttn{way}Block2D" if depths else f"{way}Block2D" for depths in blocks]
