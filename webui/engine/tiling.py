"""Seamless textures: while it lasts, the networks' edges continue at the opposite side.

Every convolution takes what it needs beyond an edge from the other end of the picture instead of
zeros. Attention and norms don't know about edges, so nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from diffusers.models.downsampling import Downsample2D
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from webui.core.request import Tiling

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

STAND_IN: Final = "_conv_forward"
"""The method of a convolution that a function of the same name stands in for."""


@contextmanager
def tiled(unet: UNet2DConditionModel, vae: AutoencoderKL, mode: Tiling) -> Iterator[None]:
    """Both networks without edges along the axes of `mode`; afterwards as they were."""
    changed: list[nn.Conv2d] = []
    is_wide = mode in (Tiling.BOTH, Tiling.HORIZONTAL)
    is_high = mode in (Tiling.BOTH, Tiling.VERTICAL)
    try:
        if mode is not Tiling.NONE:
            for network in (unet, vae):
                changed += _without_edges(network, is_wide=is_wide, is_high=is_high)
        yield
    finally:
        for convolution in changed:
            vars(convolution).pop(STAND_IN, None)


def _without_edges(network: nn.Module, *, is_wide: bool, is_high: bool) -> Iterator[nn.Conv2d]:
    framed = {id(c) for c in _framed_convolutions(network)}
    for module in network.modules():
        if not isinstance(module, nn.Conv2d):
            continue
        forward = _wrap_frame if id(module) in framed else _wrap
        if id(module) in framed or _has_padding(module):
            yield module
            setattr(module, STAND_IN, partial(forward, module, is_wide=is_wide, is_high=is_high))


def _framed_convolutions(network: nn.Module) -> Iterator[nn.Module]:
    """Those whose input has a row of zeros below and a column at the right, put there before: the
    encoder's way of halving the size."""
    for module in network.modules():
        if isinstance(module, Downsample2D) and module.use_conv and module.padding == 0:
            yield module.conv


def _has_padding(convolution: nn.Conv2d) -> bool:
    return not isinstance(convolution.padding, str) and any(convolution.padding)


def _wrap(
    convolution: nn.Conv2d,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    is_wide: bool,
    is_high: bool,
) -> Tensor:
    rows, columns = (int(width) for width in convolution.padding)
    if is_wide:
        x, columns = pad(x, (columns, columns, 0, 0), mode="circular"), 0
    if is_high:
        x, rows = pad(x, (0, 0, rows, rows), mode="circular"), 0
    return conv2d(
        x,
        weight,
        bias,
        convolution.stride,
        (rows, columns),
        convolution.dilation,
        convolution.groups,
    )


def _wrap_frame(
    convolution: nn.Conv2d,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    is_wide: bool,
    is_high: bool,
) -> Tensor:
    x = x.clone()
    if is_wide:
        x[..., :, -1] = x[..., :, 0]
    if is_high:
        x[..., -1, :] = x[..., 0, :]
    return conv2d(x, weight, bias, convolution.stride)
