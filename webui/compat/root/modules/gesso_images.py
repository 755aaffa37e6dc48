"""Pictures of a batch for the hooks that want tensors. Not a module of A1111's."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from modules import scripts
from webui.compat.missing import unprovided

HOOKS = ("postprocess_batch", "postprocess_batch_list")


def after_batch(p: Any, pictures: list[Any], number: int) -> list[Any]:
    """The pictures of a batch after its hooks. torch is needed only if a script has one."""
    if not pictures or not any(p.scripts.ordered_scripts(hook) for hook in HOOKS):
        return pictures
    tensors = [as_tensor(picture) for picture in pictures]
    before = [each.clone() for each in tensors]
    if len({each.shape for each in tensors}) == 1:
        import torch

        stacked = torch.stack(tensors)
        p.scripts.postprocess_batch(p, stacked, batch_number=number)
        tensors = list(stacked)
    args = scripts.PostprocessBatchListArgs(tensors)
    p.scripts.postprocess_batch_list(p, args, batch_number=number)
    return [_picture(each, before, pictures) for each in args.images]


def as_tensor(picture: Any) -> Any:
    """A picture as float32 (3, H, W), 0..1."""
    import torch

    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def as_picture(tensor: Any) -> Any:
    """A tensor (3, H, W), 0..1, as a picture."""
    if isinstance(tensor, Image.Image):
        return tensor
    pixels = np.asarray(tensor.detach().float().cpu()).clip(0, 1).transpose(1, 2, 0) * 255
    return Image.fromarray(pixels.round().astype(np.uint8))


def _picture(tensor: Any, before: list[Any], pictures: list[Any]) -> Any:
    """The picture itself where nobody changed its tensor."""
    for old, picture in zip(before, pictures, strict=True):
        if getattr(tensor, "shape", None) == old.shape and bool((tensor == old).all()):
            return picture
    return as_picture(tensor)


__getattr__ = unprovided(__name__)
