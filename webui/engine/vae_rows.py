"""Decodes and encodes some rows at a time, with the result of doing it at once but for rounding.

Of a VAE's large layers, only norms look further than a pixel: at the whole picture. So layers are
gone through one by one, each over all rows in turn, with one row beyond at either side; what a
layer gives is kept whole, and what a norm wants to know of it is summed up while it is written.
The layers of low resolution, with the attention among them, are small and run at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

LARGE_BLOCKS: Final = 2
"""Blocks of full and of half size: these are done by rows."""
STAND_IN: Final = "_conv_forward"


def can_go_by_rows(vae: Any) -> bool:
    """Whether a VAE is built so that it can, and its edges do not meet (see tiling.py)."""
    halves = [getattr(vae, "encoder", None), getattr(vae, "decoder", None)]
    blocks = [getattr(halves[0], "down_blocks", ()), getattr(halves[1], "up_blocks", ())]
    return all(
        len(those) > LARGE_BLOCKS and all(hasattr(each, "resnets") for each in those)
        for those in blocks
    ) and not any(STAND_IN in vars(module) for module in vae.modules())


def decode_by_rows(vae: Any, latent: Tensor, rows: int, store: torch.device) -> Tensor:
    """(1, 3, H, W), on `store`, from the network's own latent (1, C, h, w), of which `rows` rows
    are looked at a time. `store`: where the large layers' results are kept."""
    decoder = vae.decoder
    *small, last = decoder.up_blocks[:-LARGE_BLOCKS]
    hidden = latent if vae.post_quant_conv is None else vae.post_quant_conv(latent)
    hidden = decoder.mid_block(decoder.conv_in(hidden), None)
    for block in small:
        hidden = block(hidden, None)
    for resnet in last.resnets:
        hidden = resnet(hidden, temb=None)
    walk = _Walk(height=latent.shape[-2], rows=rows, store=store, device=latent.device)
    sheet = walk.sheet(hidden)
    del hidden
    for layer in last.upsamplers or ():
        sheet = walk.enlarged(layer, sheet)
    for block in decoder.up_blocks[-LARGE_BLOCKS:]:
        for resnet in block.resnets:
            sheet = walk.residual(resnet, sheet)
        for layer in block.upsamplers or ():
            sheet = walk.enlarged(layer, sheet)
    norm, activation = decoder.conv_norm_out, decoder.conv_act
    return walk.convolved(norm, activation, decoder.conv_out, sheet).values


def encode_by_rows(vae: Any, pixels: Tensor, rows: int, store: torch.device) -> Tensor:
    """The mean and the log variance of the latent, (1, 2 C, h, w), from (1, 3, H, W)."""
    encoder = vae.encoder
    large, small = encoder.down_blocks[:LARGE_BLOCKS], encoder.down_blocks[LARGE_BLOCKS:]
    height = pixels.shape[-2] >> (len(encoder.down_blocks) - 1)
    walk = _Walk(height=height, rows=rows, store=store, device=pixels.device)
    sheet = walk.convolved(None, None, encoder.conv_in, walk.sheet(pixels))
    for block in large:
        for resnet in block.resnets:
            sheet = walk.residual(resnet, sheet)
        for layer in block.downsamplers or ():
            sheet = walk.halved(layer, sheet)
    hidden = sheet.values.to(pixels.device)
    del sheet
    for block in small:
        hidden = block(hidden)
    hidden = encoder.conv_act(encoder.conv_norm_out(encoder.mid_block(hidden)))
    hidden = encoder.conv_out(hidden)
    moments: Tensor = hidden if vae.quant_conv is None else vae.quant_conv(hidden)
    return moments


@dataclass(kw_only=True)
class _Sheet:
    """The whole result of a layer, (1, C, H, W), and the mean of each channel and its square."""

    values: Tensor
    mean: Tensor
    square: Tensor

    @property
    def height(self) -> int:
        return int(self.values.shape[-2])


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """Goes over the rows of sheets. `rows` of the latent's `height` rows at a time; of larger
    sheets in proportion."""

    height: int
    rows: int
    store: torch.device
    device: torch.device

    def sheet(self, values: Tensor) -> _Sheet:
        """Of a tensor that is there at once."""
        return self._written(values.shape[-2], lambda start, stop: values[..., start:stop, :])

    def convolved(
        self,
        norm: nn.GroupNorm | None,
        activation: Callable[[Tensor], Tensor] | None,
        convolution: nn.Module,
        sheet: _Sheet,
        beside: Callable[[int, int], Tensor] | None = None,
    ) -> _Sheet:
        """The convolution, which looks one pixel around itself, of the normed and bent sheet;
        `beside`: what is added to its rows."""
        normed = None if norm is None else _Normed(norm, sheet)

        def rows(start: int, stop: int) -> Tensor:
            first = max(0, start - 1)
            x = self._read(sheet, first, min(sheet.height, stop + 1))
            x = x if normed is None else normed(x)
            x = x if activation is None else activation(x)
            made: Tensor = convolution(x)[..., start - first : stop - first, :]
            return made if beside is None else beside(start, stop) + made

        return self._written(sheet.height, rows)

    def residual(self, resnet: Any, sheet: _Sheet) -> _Sheet:
        """A block of two convolutions and the way around them."""
        bend, shortcut = resnet.nonlinearity, resnet.conv_shortcut

        def beside(start: int, stop: int) -> Tensor:
            x = self._read(sheet, start, stop)
            return x if shortcut is None else shortcut(x)

        between = self.convolved(resnet.norm1, bend, resnet.conv1, sheet)
        return self.convolved(resnet.norm2, bend, resnet.conv2, between, beside)

    def enlarged(self, layer: nn.Module, sheet: _Sheet) -> _Sheet:
        """Twice the size, then a convolution."""

        def made(start: int, stop: int) -> Tensor:
            first = max(0, start // 2 - 1)
            x = layer(self._read(sheet, first, min(sheet.height, stop // 2 + 1)))
            rows: Tensor = x[..., start - 2 * first : stop - 2 * first, :]
            return rows

        return self._written(2 * sheet.height, made)

    def halved(self, layer: nn.Module, sheet: _Sheet) -> _Sheet:
        """A convolution of every other place; it adds a row of zeros below by itself."""

        def made(start: int, stop: int) -> Tensor:
            rows: Tensor = layer(self._read(sheet, 2 * start, min(sheet.height, 2 * stop + 1)))
            return rows

        return self._written(sheet.height // 2, made)

    def _read(self, sheet: _Sheet, start: int, stop: int) -> Tensor:
        return sheet.values[..., start:stop, :].to(self.device)

    def _written(self, height: int, made: Callable[[int, int], Tensor]) -> _Sheet:
        """All rows of a new sheet, and the sums of each channel over them."""
        values: Tensor | None = None
        total: Tensor | float = 0.0
        squares: Tensor | float = 0.0
        for start, stop in self._spans(height):
            rows = made(start, stop)
            if values is None:
                shape = (*rows.shape[:2], height, rows.shape[-1])
                values = torch.empty(shape, dtype=rows.dtype, device=self.store)
            values[..., start:stop, :] = rows
            total = total + rows.sum(dim=(0, 2, 3), dtype=torch.float32)
            lengths = torch.linalg.vector_norm(rows, dim=(0, 2, 3), dtype=torch.float32)
            squares = squares + lengths**2
        assert values is not None
        count = values[0, 0].numel()
        return _Sheet(
            values=values,
            mean=torch.as_tensor(total / count),
            square=torch.as_tensor(squares / count),
        )

    def _spans(self, height: int) -> Iterator[tuple[int, int]]:
        """As few as possible, all about as high, cut where the latent's rows are."""
        unit, count = height // self.height, -(-self.height // self.rows)
        edges = [self.height * i // count * unit for i in range(count + 1)]
        return pairwise(edges)


class _Normed:
    """A group norm of any rows of a sheet. With the statistics of the whole known, it is a batch
    norm, which reckons in float32."""

    def __init__(self, norm: nn.GroupNorm, sheet: _Sheet) -> None:
        each = norm.num_channels // norm.num_groups
        mean, square = (self._of_groups(of, each) for of in (sheet.mean, sheet.square))
        self._statistics: Final = mean, (square - mean**2).clamp(min=0)
        self._affine: Final = norm.weight.float(), norm.bias.float()
        self._eps: Final = norm.eps

    def __call__(self, rows: Tensor) -> Tensor:
        return batch_norm(rows, *self._statistics, *self._affine, training=False, eps=self._eps)

    def _of_groups(self, channels: Tensor, each: int) -> Tensor:
        return channels.view(-1, each).mean(dim=1).repeat_interleave(each)
