"""Where the middle of a UNet looks at itself: what attention guidance works on. No feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from webui.core.errors import InvalidRequest

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


def middle_attentions(unet: UNet2DConditionModel) -> list[Any]:
    """The middle block's transformers; empty where it has none."""
    return list(getattr(getattr(unet, "mid_block", None), "attentions", None) or [])


def self_attentions(unet: UNet2DConditionModel, field: str) -> list[nn.Module]:
    """The middle block's self-attention layers, in order.

    Raises InvalidRequest for `field` when there are none.
    """
    found = [
        block.attn1
        for transformer in middle_attentions(unet)
        for block in getattr(transformer, "transformer_blocks", ())
        if getattr(block, "attn1", None) is not None
    ]
    if not found:
        raise InvalidRequest(
            field,
            "This checkpoint's network has no self-attention in its middle, which this kind of "
            "guidance works on. Set it to 0, or choose another checkpoint.",
        )
    return found
