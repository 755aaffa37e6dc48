"""Seamless textures: while it lasts, the networks' edges continue at the opposite side.

Every convolution takes what it needs beyond an edge from the other end of the picture instead of
zeros. Attention and norms don't know about edges, so nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from diffusers.models.downsampling import Downsample2D
from torch import Tensor, nn
from torch.nn.functional import conv2d

from webui.core.request import Tiling

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

STAND_IN: Final = "_conv_forward"
"""The method of a convolution that a function of the same name on the object stands in for."""

Forward = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""What a convolution makes of an input, its weight and its bias."""


@contextmanager
def tiled(unet: UNet2DConditionModel, vae: AutoencoderKL, mode: Tiling) -> Iterator[None]:
    """Both networks without edges along the axes of `mode`; afterwards as they were."""
    axes = _Axes(
        is_wide=mode in (Tiling.BOTH, Tiling.HORIZONTAL),
        is_high=mode in (Tiling.BOTH, Tiling.VERTICAL),
    )
    with ExitStack() as changes:
        if mode is not Tiling.NONE:
            for network in (unet, vae):
                for convolution, forward in _without_edges(network, axes):
                    changes.callback(_put_back, convolution, vars(convolution).get(STAND_IN))
                    setattr(convolution, STAND_IN, forward)
        yield


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Which edges meet: left and right when `is_wide`, top and bottom when `is_high`."""

    is_wide: bool
    is_high: bool


def _put_back(convolution: nn.Conv2d, before: Forward | None) -> None:
    if before is None:
        delattr(convolution, STAND_IN)
    else:
        setattr(convolution, STAND_IN, before)


def _without_edges(network: nn.Module, axes: _Axes) -> Iterator[tuple[nn.Conv2d, Forward]]:
    framed = {id(convolution) for convolution in _framed(network)}
    for module in network.modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if id(module) in framed:
            yield module, _wrapping_frame(module, axes)
        elif not isinstance(module.padding, str) and any(module.padding):
            yield module, _wrapping(module, axes)


def _framed(network: nn.Module) -> Iterator[nn.Module]:
    """Convolutions whose input got a row of zeros below and a column at the right before: the
    encoder's way of halving the size."""
    for module in network.modules():
        if isinstance(module, Downsample2D) and module.use_conv and module.padding == 0:
            yield module.conv


def _wrapping(convolution: nn.Conv2d, axes: _Axes) -> Forward:
    rows, columns = (int(width) for width in convolution.padding)
    zeros = (0 if axes.is_high else rows, 0 if axes.is_wide else columns)

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if axes.is_wide:
            x = _lengthened(x, columns, dim=-1)
        if axes.is_high:
            x = _lengthened(x, rows, dim=-2)
        return conv2d(
            x,
            weight,
            bias,
            convolution.stride,
            zeros,
            convolution.dilation,
            convolution.groups,
        )

    return forward


def _lengthened(x: Tensor, count: int, dim: int) -> Tensor:
    """With `count` lines of the other end at either side. torch's own circular padding gives the
    same, but in another memory layout, in which convolutions take up to four times as long."""
    if count == 0:
        return x
    last = x.narrow(dim, x.shape[dim] - count, count)
    return torch.cat([last, x, x.narrow(dim, 0, count)], dim)


def _wrapping_frame(convolution: nn.Conv2d, axes: _Axes) -> Forward:
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.clone()
        if axes.is_wide:
            x[..., :, -1] = x[..., :, 0]
        if axes.is_high:
            x[..., -1, :] = x[..., 0, :]
        return conv2d(x, weight, bias, convolution.stride)

    return forward
